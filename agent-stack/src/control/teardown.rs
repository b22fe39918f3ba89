//! `Teardown`: removes what `Provision` and `Import` created; objects of others stay.

use super::api::{ApiError, ApiServer, Deletion, Kind, text};
use super::failure;
use super::home::Home;
use super::stack::{COMPONENT, COMPONENT_LABEL, object_ref};
use super::stream::Events;
use portproof_proto::names::{RUN_LABEL, run_field_manager};
use portproof_proto::tool;
use portproof_proto::v1::teardown_event::Outcome;
use portproof_proto::v1::{ObjectRef, TeardownEvent};
use serde_json::Value;
use std::time::Duration;
use tonic::{Code, Status};

/// Kinds `Provision` creates, in the order of removal: routes and pods first, policies last.
const PROVISIONED: [Kind; 8] = [
    Kind::HTTP_ROUTE,
    Kind::GATEWAY,
    Kind::DEPLOYMENT,
    Kind::SERVICE,
    Kind::ROLE_BINDING,
    Kind::ROLE,
    Kind::SERVICE_ACCOUNT,
    Kind::NETWORK_POLICY,
];
/// Kinds `Import` creates, those that refer to others first.
const IMPORTED: [Kind; 2] = [Kind::TOOL, Kind::CONFIG_MAP];

/// Longest time a deleted CRD is waited for.
const GONE_DEADLINE: Duration = Duration::from_secs(15);

/// Why not everything was removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TeardownError {
    /// The API server said no or nothing.
    #[error("the teardown broke off")]
    Api(#[from] ApiError),
}

impl From<TeardownError> for Status {
    fn from(error: TeardownError) -> Self {
        failure::status(Code::Unavailable, &error)
    }
}

/// Removes the stack, then what was imported, then the cluster-scoped objects the ledger names.
pub(crate) async fn teardown(
    api: &ApiServer,
    home: &Home,
    cluster_scoped: &[ObjectRef],
    events: &Events<TeardownEvent>,
) -> Result<(), TeardownError> {
    for object in provisioned(api, home)
        .await?
        .into_iter()
        .chain(imported(api, home).await?)
    {
        let outcome = remove(api, &object).await?;
        events.send(event(object, outcome, "")).await;
    }
    for object in cluster_scoped {
        let (outcome, reason) = remove_cluster_scoped(api, home, object).await?;
        events.send(event(object.clone(), outcome, reason)).await;
    }
    Ok(())
}

async fn provisioned(api: &ApiServer, home: &Home) -> Result<Vec<ObjectRef>, ApiError> {
    let selector = format!("{RUN_LABEL}={},{COMPONENT_LABEL}={COMPONENT}", home.run_id);
    let mut found = Vec::new();
    for kind in PROVISIONED {
        found.extend(references(
            kind,
            &list(api, kind, &home.namespace, &selector).await?,
        ));
    }
    Ok(found)
}

/// Imported objects carry no label of ours; their field manager tells them.
async fn imported(api: &ApiServer, home: &Home) -> Result<Vec<ObjectRef>, ApiError> {
    let manager = run_field_manager(&home.run_id);
    let mut found = Vec::new();
    for kind in IMPORTED {
        let mut items = list(api, kind, &home.namespace, "").await?;
        items.retain(|item| is_managed_by(item, &manager));
        found.extend(references(kind, &items));
    }
    Ok(found)
}

/// A kind the cluster does not know has no objects.
async fn list(
    api: &ApiServer,
    kind: Kind,
    namespace: &str,
    selector: &str,
) -> Result<Vec<Value>, ApiError> {
    match api.list(&kind.collection(namespace), selector).await {
        Err(error) if error.is_absent() => Ok(Vec::new()),
        answer => answer,
    }
}

fn is_managed_by(object: &Value, name: &str) -> bool {
    let managers = object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    managers.is_some_and(|managers| {
        managers
            .iter()
            .any(|manager| text(manager, "/manager") == name)
    })
}

/// Items of a list do not say what kind they are.
fn references(kind: Kind, items: &[Value]) -> Vec<ObjectRef> {
    let reference = |item| ObjectRef {
        api_version: kind.api_version.to_owned(),
        kind: kind.kind.to_owned(),
        ..object_ref(item)
    };
    items.iter().map(reference).collect()
}

async fn remove(api: &ApiServer, object: &ObjectRef) -> Result<Outcome, ApiError> {
    let known = |kind: &Kind| kind.kind == object.kind;
    let Some(kind) = PROVISIONED.iter().chain(&IMPORTED).find(|kind| known(kind)) else {
        return Ok(Outcome::Kept);
    };
    let path = kind.object(&object.namespace, &object.name);
    Ok(match api.delete(&path, &object.uid).await? {
        Deletion::Deleted => Outcome::Deleted,
        Deletion::Absent => Outcome::Absent,
        Deletion::OtherUid => Outcome::Kept,
    })
}

/// Only the Tool CRD can be this run's; it goes when it is the very one and nobody else has Tools.
async fn remove_cluster_scoped(
    api: &ApiServer,
    home: &Home,
    object: &ObjectRef,
) -> Result<(Outcome, &'static str), ApiError> {
    if object.kind != Kind::CRD.kind || object.name != tool::CRD_NAME || object.uid.is_empty() {
        return Ok((Outcome::Kept, "not a kind of object this agent creates"));
    }
    if let Some(reason) = in_use(api, home).await? {
        return Ok((Outcome::Kept, reason));
    }
    let path = Kind::CRD.object("", &object.name);
    Ok(match api.delete(&path, &object.uid).await? {
        Deletion::Deleted => gone(api, &path, &object.uid).await?,
        Deletion::Absent => (Outcome::Absent, ""),
        Deletion::OtherUid => (Outcome::Kept, "the CRD there is not the one of this run"),
    })
}

/// A CRD goes once the API server has removed its objects.
async fn gone(api: &ApiServer, path: &str, uid: &str) -> Result<(Outcome, &'static str), ApiError> {
    match tokio::time::timeout(GONE_DEADLINE, api.until_gone(path, uid)).await {
        Ok(gone) => gone.map(|()| (Outcome::Deleted, "")),
        Err(_) => Ok((Outcome::Deleted, "it is still being deleted")),
    }
}

/// Why the CRD has to stay, if it has to.
async fn in_use(api: &ApiServer, home: &Home) -> Result<Option<&'static str>, ApiError> {
    match list(api, Kind::TOOL, "", "").await {
        Ok(tools)
            if tools
                .iter()
                .any(|tool| text(tool, "/metadata/namespace") != home.namespace) =>
        {
            Ok(Some("other namespaces have Tools"))
        }
        Ok(_) => Ok(None),
        Err(error) if error.refusal().is_some() => {
            Ok(Some("it is unknown whether other namespaces have Tools"))
        }
        Err(error) => Err(error),
    }
}

fn event(object: ObjectRef, outcome: Outcome, reason: &str) -> TeardownEvent {
    let mut event = TeardownEvent {
        object: Some(object),
        reason: reason.to_owned(),
        ..TeardownEvent::default()
    };
    event.set_outcome(outcome);
    event
}

#[cfg(test)]
mod tests;
