//! The rights of the control agent as rules of RBAC.

use portproof_proto::access::{CONTROL_CLUSTER, CONTROL_NAMESPACE, Grant, TOOL_GATEWAY};
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

/// Every right of the control agent, in the order of the rules in its roles.
pub fn control_grants() -> Vec<(Reach, &'static Grant)> {
    let cluster = cluster().map(|grant| (Reach::Cluster, grant));
    let namespace = namespace().map(|grant| (Reach::Namespace, grant));
    cluster.chain(namespace).collect()
}
