//! Which runs have left something in a cluster, without a ledger: by what the objects themselves say.

use super::connect::Cluster;
use super::error::ClusterError;
use super::object::ObjectId;
use super::ownership::managers;
use crate::ledger::Outstanding;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ListParams;
use portproof_proto::names::{self, RUN_LABEL};
use portproof_proto::tool;
use std::collections::BTreeMap;

/// A run that has left something in a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRun {
    /// Id of the run.
    pub run: String,
    /// What it left, in the order it should be removed; what lives in its namespace goes with that.
    pub objects: Vec<Outstanding>,
    /// When it began: what its objects say, or else when the oldest of them was created.
    pub began: Option<Timestamp>,
    /// When anybody may clean it up, as its objects say.
    pub expires: Option<Timestamp>,
}

impl FoundRun {
    fn new(run: String) -> Self {
        Self {
            run,
            objects: Vec::new(),
            began: None,
            expires: None,
        }
    }

    fn add(&mut self, found: Found) {
        self.objects.push(found.object);
        self.began = earlier(self.began, found.began);
        self.expires = earlier(self.expires, found.expires);
    }
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// One object of a run.
struct Found {
    run: String,
    object: Outstanding,
    began: Option<Timestamp>,
    expires: Option<Timestamp>,
}

/// Finds every run that left a namespace, a cluster role, a binding of one, or the definition of the Tools.
///
/// # Errors
/// When the API server does not answer or refuses.
pub async fn find_runs(cluster: &Cluster) -> Result<Vec<FoundRun>, ClusterError> {
    let mut runs: BTreeMap<String, FoundRun> = BTreeMap::new();
    for found in everything(cluster).await? {
        let run = found.run.clone();
        runs.entry(run.clone())
            .or_insert_with(|| FoundRun::new(run))
            .add(found);
    }
    Ok(runs.into_values().collect())
}

async fn everything(cluster: &Cluster) -> Result<Vec<Found>, ClusterError> {
    let mut everything = Vec::new();
    for (api_version, kind) in LABELLED {
        let sample = ObjectId::cluster_scoped(api_version, kind, "");
        everything.extend(labelled(cluster, &sample).await?);
    }
    everything.extend(carried_definition(cluster).await?);
    Ok(everything)
}

const LABELLED: [(&str, &str); 3] = [
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("v1", "Namespace"),
];

async fn labelled(cluster: &Cluster, sample: &ObjectId) -> Result<Vec<Found>, ClusterError> {
    let call = format!("list every {} of a run", sample.kind);
    let with_label = ListParams::default().labels(RUN_LABEL);
    let api = sample.api(cluster)?;
    let listed = cluster.call(&call, api.list_metadata(&with_label)).await?;
    let found = listed.items.into_iter().filter_map(|it| {
        let run = it.metadata.labels.as_ref()?.get(RUN_LABEL)?.clone();
        found(run, sample, it.metadata)
    });
    Ok(found.collect())
}

async fn carried_definition(cluster: &Cluster) -> Result<Option<Found>, ClusterError> {
    let id = ObjectId::of_definition(tool::CRD_NAME);
    let call = format!("read {id}");
    let api = id.api(cluster)?;
    let live = match cluster.call(&call, api.get_metadata(&id.name)).await {
        Err(error) if error.is_not_found() => return Ok(None),
        other => other?.metadata,
    };
    let run = managers(&live)
        .find_map(names::run_of_field_manager)
        .map(str::to_owned);
    Ok(run.and_then(|run| found(run, &id, live)))
}

fn found(run: String, sample: &ObjectId, live: ObjectMeta) -> Option<Found> {
    let said = |annotation| {
        let annotations = live.annotations.as_ref()?;
        annotations.get(annotation)?.parse::<Timestamp>().ok()
    };
    let (began, expires) = (
        said(names::CREATED_AT_ANNOTATION),
        said(names::EXPIRES_AT_ANNOTATION),
    );
    let created = live.creation_timestamp.map(|time| time.0);
    let object = ObjectId {
        name: live.name?,
        ..sample.clone()
    };
    Some(Found {
        run,
        object: Outstanding {
            object,
            uid: live.uid,
        },
        began: began.or(created),
        expires,
    })
}

#[cfg(test)]
mod tests;
