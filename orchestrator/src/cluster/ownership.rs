//! Whether a live object is the one a run created: by UID, by the run's label, or by the field manager of the run.

use super::connect::Cluster;
use super::error::ClusterError;
use super::object::ObjectId;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::{Api, ResourceExt as _};
use portproof_proto::names::{self, RUN_LABEL};

/// What stands where an object of a run should be.
#[derive(Debug)]
pub(super) enum Standing {
    /// Nothing.
    Gone,
    /// The run's object was removed, and a later one has its name.
    Replaced,
    /// The run's object.
    Ours(Box<ObjectMeta>),
    /// Something that this run did not create, and why that is known.
    Foreign(String),
}

/// Looks at the live object; only its metadata is read.
pub(super) async fn examine(
    cluster: &Cluster,
    run: &str,
    object: &ObjectId,
    uid: Option<&str>,
) -> Result<Standing, ClusterError> {
    let api = object.api(cluster)?;
    let call = format!("read {object}");
    match cluster.call(&call, api.get_metadata(&object.name)).await {
        Ok(live) => Ok(judge(run, object, uid, live.metadata)),
        Err(error) if error.is_not_found() => Ok(Standing::Gone),
        Err(error) => Err(error),
    }
}

fn judge(run: &str, object: &ObjectId, uid: Option<&str>, live: ObjectMeta) -> Standing {
    if uid.is_some() && live.uid.as_deref() != uid {
        return Standing::Replaced;
    }
    let proven = if object.is_definition() {
        uid.is_some() || created_by(run, &live)
    } else {
        labelled(run, &live)
    };
    if proven {
        Standing::Ours(Box::new(live))
    } else {
        Standing::Foreign(foreign_reason(object, &live))
    }
}

fn labelled(run: &str, live: &ObjectMeta) -> bool {
    run_label(live) == Some(run)
}

fn run_label(live: &ObjectMeta) -> Option<&str> {
    let labels = live.labels.as_ref()?;
    labels.get(RUN_LABEL).map(String::as_str)
}

/// A carried object bears no label of ours, so the run that created it is known by the field manager of the request.
fn created_by(run: &str, live: &ObjectMeta) -> bool {
    let manager = names::run_field_manager(run);
    managers(live).any(|name| name == manager)
}

/// Names of the field managers of an object itself, without its subresources.
pub(super) fn managers(live: &ObjectMeta) -> impl Iterator<Item = &str> {
    let fields = live.managed_fields.iter().flatten();
    fields
        .filter(|it| it.subresource.as_deref().unwrap_or_default().is_empty())
        .filter_map(|it| it.manager.as_deref())
}

fn foreign_reason(object: &ObjectId, live: &ObjectMeta) -> String {
    match run_label(live) {
        _ if object.is_definition() => "nothing shows that this run created it".to_owned(),
        Some(other) => format!("it carries the label of run {other}"),
        None => format!("it does not carry the label {RUN_LABEL} of this run"),
    }
}

/// Instances of a definition outside of one namespace: up to three of them by name, and how many there are.
pub(super) async fn instances_elsewhere(
    cluster: &Cluster,
    definition: &str,
    namespace: &str,
) -> Result<Option<String>, ClusterError> {
    let Some(resource) = resource_of(cluster, definition).await? else {
        return Ok(None);
    };
    let api: Api<DynamicObject> = Api::all_with(cluster.client(), &resource);
    let call = format!("list the instances of {definition}");
    let listed = cluster
        .call(&call, api.list_metadata(&ListParams::default()))
        .await;
    let instances = match listed {
        Err(error) if error.is_not_found() => return Ok(None),
        other => other?.items,
    };
    let elsewhere: Vec<String> = instances
        .iter()
        .filter(|it| it.namespace().as_deref() != Some(namespace))
        .map(|it| format!("{}/{}", it.namespace().unwrap_or_default(), it.name_any()))
        .collect();
    Ok(summary(&elsewhere))
}

fn summary(elsewhere: &[String]) -> Option<String> {
    let named = elsewhere.get(..3).unwrap_or(elsewhere).join(", ");
    match elsewhere.len() {
        0 => None,
        count @ 1..=3 => Some(format!("{count} ({named})")),
        count => Some(format!("{count} ({named}, ...)")),
    }
}

async fn resource_of(
    cluster: &Cluster,
    definition: &str,
) -> Result<Option<ApiResource>, ClusterError> {
    let api: Api<CustomResourceDefinition> = Api::all(cluster.client());
    let call = format!("read CustomResourceDefinition {definition}");
    let Some(live) = cluster.call(&call, api.get_opt(definition)).await? else {
        return Ok(None);
    };
    let names = live.spec.names;
    let served = live.spec.versions.into_iter().find(|it| it.served);
    Ok(served.map(|version| {
        let kind = GroupVersionKind::gvk(&live.spec.group, &version.name, &names.kind);
        ApiResource::from_gvk_with_plural(&kind, &names.plural)
    }))
}
