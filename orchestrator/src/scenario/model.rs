//! The checked scenario: nothing in it can be wrong in a way that the file alone could show.

use crate::verify::Role;
use crate::verify::gateway::{CONFIRMATIONS, RollbackGoal, WeightGoal};
use portproof_proto::canonical::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Confidence of every interval.
pub(super) const CONFIDENCE: f64 = 0.95;
/// Load before a rollback: at ten percent and 100 requests a second the canary answers ten of them.
pub(super) const ROLLBACK_LEAD: Duration = Duration::from_secs(1);

/// A checked scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Name.
    pub name: String,
    /// What it proves.
    pub description: String,
    /// Digest of the file.
    pub digest: Digest,
    /// Where each role's cluster comes from; at least one.
    pub clusters: BTreeMap<Role, ClusterSource>,
    /// Whether two roles may be the same cluster.
    pub allow_same_cluster: bool,
    /// The reference stack.
    pub stack: Stack,
    /// Deviations put in on purpose.
    pub faults: Vec<PlannedFault>,
    /// Ids of the checks that must fail; empty unless there are faults.
    pub expect_failed: Vec<String>,
    /// The steps, in order; at least one.
    pub steps: Vec<Step>,
}

impl Scenario {
    /// The deviations of one cluster.
    pub fn faults_on(&self, role: &Role) -> Vec<Fault> {
        self.faults
            .iter()
            .filter(|planned| planned.on.contains(role))
            .map(|planned| planned.fault)
            .collect()
    }

    /// The step of that id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }
}

/// Where a cluster comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterSource {
    /// A cluster of the embedded lab.
    Lab {
        /// Its Gateway implementation.
        gateway: LabGateway,
    },
    /// A cluster that is there already.
    Existing {
        /// Path of the kubeconfig; `None` for the user's own.
        kubeconfig: Option<PathBuf>,
        /// Context in it.
        context: String,
        /// GatewayClass of the stack's Gateway.
        gateway_class: String,
    },
}

/// Gateway implementations of the lab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LabGateway {
    /// Traefik.
    #[default]
    Traefik,
    /// Envoy Gateway with Envoy.
    Envoy,
}

impl LabGateway {
    /// The word in scenario files and on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Traefik => "traefik",
            Self::Envoy => "envoy",
        }
    }
}

/// The reference stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// RuntimeClass of the interpreter's pod.
    pub runtime_class: String,
    /// The model server to forward to; `None` for the reference planner.
    pub upstream: Option<Upstream>,
    /// Directories of the fixtures, tools first.
    pub fixtures: Vec<PathBuf>,
}

/// An OpenAI-compatible model server outside the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its URL.
    pub url: String,
    /// Model the agent asks it for; `None` for the name of the reference planner.
    pub model: Option<String>,
    /// Where its key is, where it wants one.
    pub key: Option<KeySource>,
    /// PEM file of the authorities that may vouch for it; `None` for the public ones.
    pub authorities: Option<PathBuf>,
}

/// Where a secret of the user is. It stands in no scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// In this environment variable.
    Environment(String),
    /// In this file.
    File(PathBuf),
}

/// A deviation of the stack or of the carry that some check must notice.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The route serves other weights than the ones asked for.
    RouteWeightsSkewed,
    /// The interpreter's pod has no egress policy.
    EgressPolicyMissing,
    /// The interpreter runs on the node's kernel.
    RuntimeNotSandboxed,
    /// The tool gateway forgets the trace context of what it serves.
    TraceContextDropped,
    /// The tool gateway does not list one of its Tools.
    ToolHidden,
    /// The catalog service answers with other data.
    CatalogChanged,
    /// Rolling back leaves a small share on the canary.
    RollbackIncomplete,
    /// A canary that is to get a share gets nothing.
    CanaryNotServed,
    /// A Tool is changed between export and import.
    ToolChangedInTransit,
}

impl Fault {
    /// The word in scenario files and reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::RouteWeightsSkewed => "route-weights-skewed",
            Self::EgressPolicyMissing => "egress-policy-missing",
            Self::RuntimeNotSandboxed => "runtime-not-sandboxed",
            Self::TraceContextDropped => "trace-context-dropped",
            Self::ToolHidden => "tool-hidden",
            Self::CatalogChanged => "catalog-changed",
            Self::RollbackIncomplete => "rollback-incomplete",
            Self::CanaryNotServed => "canary-not-served",
            Self::ToolChangedInTransit => "tool-changed-in-transit",
        }
    }
}

/// A deviation and the clusters that get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFault {
    /// Which deviation.
    pub fault: Fault,
    /// Where; for [`Fault::ToolChangedInTransit`] the role that is imported to.
    pub on: Vec<Role>,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Unique id.
    pub id: String,
    /// Roles it runs on; for [`Action::Carry`] source and target.
    pub roles: Vec<Role>,
    /// What it does.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Provisions the reference stack.
    Deploy {
        /// Time for every part to answer.
        deadline: Duration,
    },
    /// Imports the fixtures.
    Seed,
    /// Exports the tools from one cluster and imports them into another.
    Carry {
        /// Exported from.
        from: Role,
        /// Imported to.
        to: Role,
    },
    /// Hands tasks to the agent.
    Tasks {
        /// The tasks, in order; at least one.
        items: Vec<Task>,
    },
    /// Collects the traces of the tasks.
    Traces {
        /// How long to wait for missing spans.
        deadline: Duration,
    },
    /// Splits model traffic and measures the split.
    Canary(CanaryPlan),
    /// Takes the canary back under load.
    Rollback(RollbackPlan),
    /// Reads on which kernel the interpreter runs.
    Sandbox,
    /// Tries to get out of the sandbox.
    Egress,
}

impl Action {
    /// The word in scenario files.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Deploy { .. } => "deploy",
            Self::Seed => "seed",
            Self::Carry { .. } => "carry",
            Self::Tasks { .. } => "tasks",
            Self::Traces { .. } => "traces",
            Self::Canary(_) => "canary",
            Self::Rollback(_) => "rollback",
            Self::Sandbox => "sandbox",
            Self::Egress => "egress",
        }
    }
}

/// One task for the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Unique in its step.
    pub id: String,
    /// What the user asks.
    pub prompt: String,
    /// Time it may take.
    pub deadline: Duration,
}

/// A split to set and the load that measures it.
#[derive(Clone, Debug, PartialEq)]
pub struct CanaryPlan {
    /// Weights: stable, canary; their sum is not 0.
    pub weights: (u32, u32),
    /// Number of requests.
    pub requests: u32,
    /// Requests a second.
    pub rate: u32,
    /// Connections the requests are spread over.
    pub connections: u32,
    /// How far the share may be from the weight, 0 to 1.
    pub tolerance: f64,
}

impl CanaryPlan {
    /// What the split is judged by.
    pub fn goal(&self) -> WeightGoal {
        let (stable, canary) = self.weights;
        let canary_share = f64::from(canary) / (f64::from(stable) + f64::from(canary));
        WeightGoal {
            canary_share,
            tolerance: self.tolerance,
            confidence: CONFIDENCE,
        }
    }
}

/// A rollback and the load it happens under.
#[derive(Clone, Debug, PartialEq)]
pub struct RollbackPlan {
    /// Number of requests.
    pub requests: u32,
    /// Requests a second.
    pub rate: u32,
    /// Connections the requests are spread over.
    pub connections: u32,
    /// Load before the weights are set back.
    pub lead: Duration,
    /// Time from the API server's answer to the last request that may reach the canary.
    pub budget: Duration,
    /// Time after which the agent restores the route itself.
    pub dead_man: Duration,
}

impl RollbackPlan {
    /// What the rollback is judged by.
    pub fn goal(&self) -> RollbackGoal {
        RollbackGoal {
            budget: self.budget,
        }
    }

    /// How long the load lasts.
    pub fn length(&self) -> Duration {
        Duration::from_secs_f64(f64::from(self.requests) / f64::from(self.rate.max(1)))
    }

    /// How long the load must last for a verdict: lead, budget, and the stable answers that confirm the rollback even if
    /// the canary was seen until the budget's end.
    #[expect(clippy::cast_precision_loss, reason = "a small constant")]
    pub fn needed(&self) -> Duration {
        self.lead
            + self.budget
            + Duration::from_secs_f64(CONFIRMATIONS as f64 / f64::from(self.rate.max(1)))
    }
}
