//! The rights of a run and of its control agent as rules of RBAC.

use portproof_proto::access::{CONTROL_CLUSTER, CONTROL_NAMESPACE, Grant, RUN, TOOL_GATEWAY};
use serde_json::{Value, json};

/// What it may do in the whole cluster.
pub(super) fn cluster() -> impl Iterator<Item = &'static Grant> {
    CONTROL_CLUSTER.iter()
}

/// What it may do in the namespace of its run, what it hands on included.
pub(super) fn namespace() -> impl Iterator<Item = &'static Grant> {
    CONTROL_NAMESPACE.iter().chain(TOOL_GATEWAY)
}

/// One rule as an object of kind Role or ClusterRole has it.
pub(super) fn rule(grant: &Grant) -> Value {
    let mut rule =
        json!({"apiGroups": [grant.group], "resources": grant.resources, "verbs": grant.verbs});
    if !grant.names.is_empty() {
        rule["resourceNames"] = json!(grant.names);
    }
    rule
}

/// Where a right holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// In the whole cluster.
    Cluster,
    /// In the namespace of the run.
    Namespace,
}

/// Every right that whoever runs portproof needs in a cluster: what the run does itself, and, because RBAC lets nobody grant
/// what they do not hold, all that it hands on.
pub fn run_grants() -> Vec<&'static Grant> {
    RUN.iter().chain(cluster()).chain(namespace()).collect()
}

/// The ClusterRole with every right that whoever runs portproof needs. It is for the owner of a cluster to apply and bind; a
/// run never does.
pub fn run_rights() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "portproof-run"},
        "rules": run_grants().into_iter().map(rule).collect::<Vec<_>>(),
    })
}

/// Every right of the control agent, in the order of the rules in its roles.
pub fn control_grants() -> Vec<(Reach, &'static Grant)> {
    let cluster = cluster().map(|grant| (Reach::Cluster, grant));
    let namespace = namespace().map(|grant| (Reach::Namespace, grant));
    cluster.chain(namespace).collect()
}
