//! Ends the pods of a namespace that goes.
//!
//! The namespace controller does so only when it first looks, five seconds after the deletion, and looks again five
//! seconds later when a pod is still ending. Nobody is served any more, so pods need no time to say farewell.

use super::super::connect::Cluster;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, ListParams};

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
