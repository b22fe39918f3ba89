//! What is created through the Kubernetes API before a cluster can be spoken to over gRPC, and nothing more.

mod access;
mod diagnosis;
mod manifests;
mod ready;
mod upstream;

use super::create::create;
use super::{Cluster, ClusterError};
use crate::ledger::Ledger;
use crate::rpc::Credentials;
pub use access::{Reach, control_grants, run_grants, run_rights};
pub use manifests::Bootstrap;
use manifests::objects;
use serde_json::Value;
use std::time::Duration;
pub use upstream::UpstreamAccess;

/// What the namespace of a run holds that nobody else may know.
pub struct Secrets<'a> {
    /// Certificate and key of the control agent.
    pub agent: &'a Credentials,
    /// What lets the stack in at its model server.
    pub upstream: &'a UpstreamAccess,
}

/// Creates namespace, access rights, secrets and the control agent, each written to the ledger first, and waits
/// until the agent's pod is ready.
///
/// Gives back the name of the pod.
///
/// # Errors
/// When an object is there already (it is never adopted), is refused, or the pod does not become ready; the error
/// then says what the pod is waiting for. What was created by then is in the ledger and stays for cleaning up.
pub async fn bootstrap(
    cluster: &Cluster,
    ledger: &Ledger,
    plan: &Bootstrap,
    secrets: &Secrets<'_>,
    deadline: Duration,
) -> Result<String, ClusterError> {
    for object in objects(plan, secrets) {
        create(cluster, ledger, object).await?;
    }
    ready::control_pod(cluster, &plan.namespace, deadline).await
}

/// The objects of [`bootstrap`] that say what the control agent may do, in the order of their creation.
pub fn control_rights(plan: &Bootstrap) -> [Value; 5] {
    manifests::rights(plan)
}

#[cfg(test)]
mod tests;
