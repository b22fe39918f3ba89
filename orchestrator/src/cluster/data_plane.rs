//! What a Gateway implementation runs for a Gateway outside of its namespace: it does not go with the namespace, and it
//! drains open connections before it ends.
//!
//! Envoy Gateway is the one that does so: its pods live in a namespace of its own and name the Gateway they serve by
//! label. Others either share one data plane or keep it in the Gateway's namespace (GEP-1762), where nothing is left to
//! wait for.

use super::cleanup::Left;
use super::connect::Cluster;
use super::error::ClusterError;
use super::object::ObjectId;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, PartialObjectMeta};
use kube::{Api, ResourceExt as _};
use std::time::Duration;
use tokio::time::Instant;

const OWNING_NAMESPACE: &str = "gateway.envoyproxy.io/owning-gateway-namespace";
const PAUSE: Duration = Duration::from_millis(250);

/// What is still there of the data planes of one namespace.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Remains {
    /// Asked to end, and ending by itself.
    pub(super) draining: Vec<String>,
    /// Not even asked to end.
    pub(super) left: Vec<Left>,
}

/// Waits until the data planes of the Gateways that were in `namespace` are gone, for `patience` at most, and tells what
/// is still there then.
pub(super) async fn gone(cluster: &Cluster, namespace: &str, patience: Duration) -> Remains {
    let until = Instant::now() + patience;
    loop {
        let last = Instant::now() >= until;
        match serving(cluster, namespace).await {
            Ok(pods) if pods.is_empty() || last => return remains(&pods, patience),
            Err(error) if last || !error.may_pass() => return unknown(&error),
            Ok(_) | Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn serving(
    cluster: &Cluster,
    namespace: &str,
) -> Result<Vec<PartialObjectMeta<Pod>>, ClusterError> {
    let pods: Api<Pod> = Api::all(cluster.client());
    let selector = ListParams::default().labels(&format!("{OWNING_NAMESPACE}={namespace}"));
    let call = "list the pods of deleted Gateways";
    let listed = cluster.call(call, pods.list_metadata(&selector)).await?;
    Ok(listed.items)
}

fn remains(pods: &[PartialObjectMeta<Pod>], waited: Duration) -> Remains {
    let mut remains = Remains::default();
    for pod in pods {
        let object = ObjectId::namespaced(
            "v1",
            "Pod",
            &pod.namespace().unwrap_or_default(),
            &pod.name_any(),
        );
        if pod.metadata.deletion_timestamp.is_some() {
            remains.draining.push(object.to_string());
        } else {
            let reason = format!(
                "its Gateway is gone, and {} s later its controller has not removed it",
                waited.as_secs()
            );
            remains.left.push(Left { object, reason });
        }
    }
    remains
}

/// Not being allowed to look is no proof that nothing is there.
fn unknown(error: &ClusterError) -> Remains {
    Remains {
        draining: vec![format!(
            "perhaps pods of deleted Gateways, which cannot be listed: {error}"
        )],
        left: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
