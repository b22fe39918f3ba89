//! Ends the pods of a namespace that goes.
//!
//! The namespace controller does so only when it first looks, five seconds after the deletion, and looks again five
//! seconds later when a pod is still ending. Nobody is served any more, so pods need no time to say farewell.

use super::super::connect::Cluster;
use super::super::error::ClusterError;
use super::super::object::ObjectId;
use super::super::ownership::{self, Standing};
use crate::ledger::Outstanding;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Preconditions};
use portproof_proto::names::{PART_LABEL, Part};

/// Seconds between the signal and the end of a pod.
const FAREWELL: u32 = 1;

/// Tells pods to end. Whatever goes wrong here, the namespace takes them along.
pub(super) async fn end(cluster: &Cluster, namespace: &str, which: &ListParams) {
    let pods: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    let soon = DeleteParams::default().grace_period(FAREWELL);
    let ended = cluster.call("end pods", pods.delete_collection(&soon, which));
    if let Err(error) = ended.await {
        tracing::debug!(%error, namespace, "the pods are left to their namespace");
    }
}

/// Has the run's namespace go and its pods end, but for the control agent, which still has its own part to take down. A
/// beginning only: [`super::cleanup`] looks at everything anew and does what was not done.
pub async fn begin_cleanup(cluster: &Cluster, run: &str, outstanding: &[Outstanding]) {
    let namespaces = outstanding.iter().filter(|it| it.object.is_namespace());
    for namespace in namespaces {
        let name = &namespace.object.name;
        match ask_to_go(cluster, run, &namespace.object, namespace.uid.as_deref()).await {
            Ok(true) => {
                let others = format!("{PART_LABEL}!={}", Part::Control.name());
                end(cluster, name, &ListParams::default().labels(&others)).await;
            }
            Ok(false) => {}
            Err(error) => tracing::debug!(%error, name, "clean-up has to ask again"),
        }
    }
}

/// Whether the object is the run's and goes.
async fn ask_to_go(
    cluster: &Cluster,
    run: &str,
    object: &ObjectId,
    uid: Option<&str>,
) -> Result<bool, ClusterError> {
    let Standing::Ours(live) = ownership::examine(cluster, run, object, uid).await? else {
        return Ok(false);
    };
    let only_this = DeleteParams::background().preconditions(Preconditions {
        uid: live.uid,
        resource_version: live.resource_version,
    });
    let api = object.api(cluster)?;
    let call = format!("delete {object}");
    cluster
        .call(&call, api.delete(&object.name, &only_this))
        .await?;
    Ok(true)
}
