//! What a node says of itself.

use super::connect::Cluster;
use super::error::ClusterError;
use k8s_openapi::api::core::v1::Node;
use kube::Api;

/// The kernel release that a node reports, for example `6.1.0-42-amd64`.
///
/// # Errors
/// When the API server does not answer or refuses, or the node does not say.
pub async fn node_kernel(cluster: &Cluster, node: &str) -> Result<String, ClusterError> {
    let call = format!("read the node {node}");
    let nodes: Api<Node> = Api::all(cluster.client());
    let found = cluster.call(&call, nodes.get(node)).await?;
    let info = found.status.and_then(|status| status.node_info);
    info.map(|info| info.kernel_version)
        .filter(|kernel| !kernel.is_empty())
        .ok_or_else(|| ClusterError::Incomplete {
            role: cluster.role().clone(),
            call,
            field: "status.nodeInfo.kernelVersion",
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::fake::FakeApi;
    use serde_json::json;

    #[tokio::test]
    async fn a_node_names_its_kernel_and_one_that_does_not_is_an_error() {
        let (fake, cluster) = FakeApi::start().await;
        let info: serde_json::Map<_, _> = [
            "architecture",
            "bootID",
            "containerRuntimeVersion",
            "kernelVersion",
            "kubeProxyVersion",
            "kubeletVersion",
            "machineID",
            "operatingSystem",
            "osImage",
            "systemUUID",
        ]
        .into_iter()
        .map(|member| (member.to_owned(), json!(member)))
        .collect();
        let node = json!({"metadata": {"name": "a-1"}, "status": {"nodeInfo": info}});
        fake.put("/api/v1/nodes/a-1", node);
        fake.put("/api/v1/nodes/a-2", json!({"metadata": {"name": "a-2"}}));
        assert_eq!(node_kernel(&cluster, "a-1").await.unwrap(), "kernelVersion");
        let silent = node_kernel(&cluster, "a-2").await.unwrap_err();
        assert!(matches!(silent, ClusterError::Incomplete { .. }));
        let absent = node_kernel(&cluster, "a-3").await.unwrap_err();
        assert!(absent.is_not_found(), "{absent}");
    }
}
