//! What a run sets out to do: its id, its scenario, its image.

use super::id::RunId;
use crate::cluster::UpstreamAccess;
use crate::rpc;
use crate::scenario::{Fault, Scenario};
use crate::verify::Role;

/// Everything that is fixed before the first cluster is touched.
pub(super) struct RunPlan {
    pub run: RunId,
    pub scenario: Scenario,
    /// Full name of the stack's image, tag included.
    pub image: String,
    /// What lets the stack in at the model server of the scenario.
    pub upstream: UpstreamAccess,
}

impl RunPlan {
    /// The deviations that the agent of a cluster puts into the stack.
    pub(super) fn agent_faults(&self, role: &Role) -> Vec<rpc::Fault> {
        self.scenario
            .faults_on(role)
            .into_iter()
            .filter_map(agent_fault)
            .collect()
    }

    /// Whether a cluster gets a deviation.
    pub(super) fn has_fault(&self, fault: Fault, role: &Role) -> bool {
        self.scenario.faults_on(role).contains(&fault)
    }
}

const fn agent_fault(fault: Fault) -> Option<rpc::Fault> {
    Some(match fault {
        Fault::RouteWeightsSkewed => rpc::Fault::RouteWeightsSkewed,
        Fault::EgressPolicyMissing => rpc::Fault::EgressPolicyMissing,
        Fault::RuntimeNotSandboxed => rpc::Fault::RuntimeNotSandboxed,
        Fault::TraceContextDropped => rpc::Fault::TraceContextDropped,
        Fault::ToolHidden => rpc::Fault::ToolHidden,
        Fault::CatalogChanged => rpc::Fault::CatalogChanged,
        Fault::RollbackIncomplete => rpc::Fault::RollbackIncomplete,
        Fault::CanaryNotServed => rpc::Fault::CanaryNotServed,
        Fault::ToolChangedInTransit => return None,
    })
}
