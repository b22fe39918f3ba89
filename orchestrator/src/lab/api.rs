//! The lab's own look at a cluster's API: only what bringing a cluster up needs, always by an explicit kubeconfig.

use super::error::LabError;
use super::paths::LabPaths;
use crate::verify::Role;
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use k8s_openapi::api::node::v1::RuntimeClass;
use kube::api::{ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::json;
use std::path::Path;

/// Name of the RuntimeClass that runs pods under gVisor.
pub const GVISOR: &str = "gvisor";
/// The field manager of what the lab applies.
const MANAGER: &str = "portproof-lab";

/// A client from one kubeconfig file and nothing else.
///
/// # Errors
/// The file cannot be read, or makes no client.
pub async fn client(kubeconfig: &Path) -> Result<Client, LabError> {
    let unusable = |source| LabError::Kubeconfig {
        path: kubeconfig.to_owned(),
        source: Box::new(source),
    };
    let read = Kubeconfig::read_from(kubeconfig).map_err(unusable)?;
    let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default())
        .await
        .map_err(unusable)?;
    Client::try_from(config).map_err(|source| {
        LabError::io("cannot make a client for", kubeconfig)(std::io::Error::other(source))
    })
}

/// A cluster of the lab, by its administrator's kubeconfig.
pub(crate) struct ClusterApi {
    role: Role,
    client: Client,
}

impl ClusterApi {
    /// The underlying client.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// A client for a cluster, which need not answer yet.
    ///
    /// # Errors
    /// As [`client`].
    pub(crate) async fn new(paths: &LabPaths, role: &Role) -> Result<Self, LabError> {
        Ok(Self {
            role: role.clone(),
            client: client(&paths.kubeconfig(role)).await?,
        })
    }

    pub(crate) fn failed(&self, action: impl Into<String>) -> impl FnOnce(kube::Error) -> LabError {
        let (role, action) = (self.role.clone(), action.into());
        move |source| LabError::Api {
            role,
            action,
            source: Box::new(source),
        }
    }

    /// What is not ready yet; `None` when the API server is.
    pub(crate) async fn unready(&self) -> Option<String> {
        let request = match http::Request::get("/readyz").body(Vec::new()) {
            Ok(request) => request,
            Err(error) => return Some(error.to_string()),
        };
        self.client
            .request_text(request)
            .await
            .err()
            .map(|error| last_cause(&error))
    }

    /// The API server's version, or why it says none.
    pub(crate) async fn version(&self) -> Result<String, String> {
        let version = self.client.apiserver_version().await;
        version
            .map(|version| version.git_version)
            .map_err(|error| last_cause(&error))
    }

    /// What keeps the nodes from being ready; `None` when `count` of them are.
    pub(crate) async fn unready_nodes(&self, count: usize) -> Option<String> {
        let nodes = Api::<Node>::all(self.client.clone())
            .list(&ListParams::default())
            .await;
        match nodes {
            Err(error) => Some(last_cause(&error)),
            Ok(nodes) => {
                let ready = nodes.items.iter().filter(|node| is_ready(node)).count();
                (ready < count).then(|| format!("{ready} of {count} nodes are Ready"))
            }
        }
    }

    /// Whether pods may be made in namespace `default`.
    pub(crate) async fn lacks_default_account(&self) -> Option<String> {
        let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), "default");
        match accounts.get_opt("default").await {
            Ok(Some(_)) => None,
            Ok(None) => Some("namespace default has no service account yet".to_owned()),
            Err(error) => Some(last_cause(&error)),
        }
    }

    /// Makes the RuntimeClass `gvisor`.
    ///
    /// # Errors
    /// The API server refuses.
    pub(crate) async fn apply_runtime_class(&self) -> Result<(), LabError> {
        let class = json!({
            "apiVersion": "node.k8s.io/v1",
            "kind": "RuntimeClass",
            "metadata": {"name": GVISOR},
            "handler": "runsc",
        });
        Api::<RuntimeClass>::all(self.client.clone())
            .patch(
                GVISOR,
                &PatchParams::apply(MANAGER).force(),
                &Patch::Apply(&class),
            )
            .await
            .map_err(self.failed("make the RuntimeClass gvisor"))?;
        Ok(())
    }
}

/// A node takes pods once it is Ready and the taint it was born with is gone.
fn is_ready(node: &Node) -> bool {
    let conditions = node
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let ready = conditions.is_some_and(|all| {
        all.iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
    });
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
    ready && taints.is_none_or(Vec::is_empty)
}

/// The innermost cause: the outer texts say only that a request failed.
fn last_cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(ready: &str, taints: &serde_json::Value) -> Node {
        serde_json::from_value(json!({
            "metadata": {"name": "a-1"},
            "spec": {"taints": taints},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }))
        .unwrap()
    }

    #[test]
    fn a_node_is_ready_when_it_says_so_and_has_no_taint_left() {
        let taint = json!([{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]);
        assert!(is_ready(&node("True", &json!([]))));
        assert!(!is_ready(&node("False", &json!([]))));
        assert!(!is_ready(&node("True", &taint)));
    }
}
