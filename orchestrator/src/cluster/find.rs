//! Which runs have left something in a cluster, without a ledger: by what the objects themselves say.

use super::connect::Cluster;
use super::error::ClusterError;
use super::object::ObjectId;
use super::ownership::managers;
use crate::ledger::Outstanding;
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
}

/// Finds every run that left a namespace, a cluster role, a binding of one, or the definition of the Tools.
///
/// # Errors
/// When the API server does not answer or refuses.
pub async fn find_runs(cluster: &Cluster) -> Result<Vec<FoundRun>, ClusterError> {
    let mut runs: BTreeMap<String, Vec<Outstanding>> = BTreeMap::new();
    for (api_version, kind) in LABELLED {
        let sample = ObjectId::cluster_scoped(api_version, kind, "");
        for (run, found) in labelled(cluster, &sample).await? {
            runs.entry(run).or_default().push(found);
        }
    }
    if let Some((run, found)) = carried_definition(cluster).await? {
        runs.entry(run).or_default().push(found);
    }
    let runs = runs.into_iter();
    Ok(runs
        .map(|(run, objects)| FoundRun { run, objects })
        .collect())
}

const LABELLED: [(&str, &str); 3] = [
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("v1", "Namespace"),
];

async fn labelled(
    cluster: &Cluster,
    sample: &ObjectId,
) -> Result<Vec<(String, Outstanding)>, ClusterError> {
    let call = format!("list every {} of a run", sample.kind);
    let with_label = ListParams::default().labels(RUN_LABEL);
    let api = sample.api(cluster)?;
    let listed = cluster.call(&call, api.list_metadata(&with_label)).await?;
    let found = listed.items.into_iter().filter_map(|it| {
        let run = it.metadata.labels.as_ref()?.get(RUN_LABEL)?.clone();
        Some((run, outstanding(sample, it.metadata)?))
    });
    Ok(found.collect())
}

async fn carried_definition(
    cluster: &Cluster,
) -> Result<Option<(String, Outstanding)>, ClusterError> {
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
    Ok(run.zip(outstanding(&id, live)))
}

fn outstanding(sample: &ObjectId, live: ObjectMeta) -> Option<Outstanding> {
    let object = ObjectId {
        name: live.name?,
        ..sample.clone()
    };
    let uid = live.uid;
    Some(Outstanding { object, uid })
}
