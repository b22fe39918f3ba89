//! What callers ask of an agent, and what it says of itself.

use crate::verify::evidence::{KernelFingerprint, Origin, PartPod, Phase, Target, Transport, Via};
use std::time::Duration;

/// What an agent says of itself and its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentDescription {
    /// Run it was started for.
    pub run_id: String,
    /// Role it was started for.
    pub role: String,
    /// UID of the `kube-system` namespace.
    pub cluster_uid: String,
    /// Version of the API server.
    pub kubernetes_version: String,
    /// Version of the agent.
    pub agent_version: String,
    /// GatewayClasses of the cluster.
    pub gateway_classes: Vec<String>,
    /// RuntimeClasses of the cluster.
    pub runtime_classes: Vec<String>,
    /// Bundle version of the installed Gateway API; empty without one.
    pub gateway_api_version: String,
    /// Every pod of the run's parts.
    pub pods: Vec<PartPod>,
}

/// A deviation that the agent puts into the stack on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The route serves other weights than asked.
    RouteWeightsSkewed,
    /// No egress policy for the interpreter.
    EgressPolicyMissing,
    /// The interpreter runs on the node's kernel.
    RuntimeNotSandboxed,
    /// The tool gateway drops the trace context.
    TraceContextDropped,
    /// The tool gateway does not list one Tool.
    ToolHidden,
    /// The catalog answers with other data.
    CatalogChanged,
    /// A rollback leaves a share on the canary.
    RollbackIncomplete,
    /// A canary that is to get a share gets nothing.
    CanaryNotServed,
}

/// What the stack shall look like in one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackPlan {
    /// Image of every part.
    pub image: String,
    /// Pull policy of the image.
    pub image_pull_policy: String,
    /// GatewayClass of the Gateway.
    pub gateway_class: String,
    /// Listener port of the Gateway.
    pub gateway_port: u16,
    /// Host name the routes match.
    pub hostname: String,
    /// RuntimeClass of the interpreter.
    pub runtime_class: String,
    /// Model server to forward to; `None` for the reference planner.
    pub upstream: Option<UpstreamPlan>,
    /// Weights (stable, canary) to begin with.
    pub split: (u32, u32),
    /// Deviations put in on purpose.
    pub faults: Vec<Fault>,
    /// Time for everything to become ready.
    pub deadline: Duration,
}

/// An OpenAI-compatible model server outside the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamPlan {
    /// Its URL.
    pub url: String,
    /// Model the agent asks it for; `None` for the name of the reference planner.
    pub model: Option<String>,
    /// Secret with its key, where it wants one.
    pub key_secret: Option<String>,
    /// ConfigMap with its authorities, where they are not the public ones.
    pub authorities_config_map: Option<String>,
}

/// How far provisioning has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProvisionProgress {
    /// An object was applied: `Kind/name`.
    Applied(String),
    /// A part answered, so long after the call began.
    Ready(String, Duration),
}

/// Where the stack's Gateway answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayAddress {
    /// Address from the Gateway's status.
    pub address: String,
    /// Listener port.
    pub port: u32,
}

/// The kernels that two pods on one node see; a side that could not be read carries why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodKernels {
    /// The interpreter's pod.
    pub sandbox: Result<KernelFingerprint, String>,
    /// Its control pod.
    pub control: Result<KernelFingerprint, String>,
}

/// One task for the agent of the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskOrder {
    /// Id of the task.
    pub id: String,
    /// What the user asks.
    pub prompt: String,
    /// Trace id of the task, 32 hex digits.
    pub trace_id: String,
    /// Span id of the task's virtual root, 16 hex digits.
    pub root_span_id: String,
    /// Time the task may take.
    pub deadline: Duration,
}

/// An open-loop load plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadPlan {
    /// Number of requests.
    pub requests: u32,
    /// Requests a second.
    pub rate: u32,
    /// Connections they are spread over.
    pub connections: u32,
    /// Time one request may take.
    pub timeout: Duration,
    /// Path to ask for.
    pub path: String,
    /// Version of the model to ask for by name; `None` leaves the choice to the split.
    pub version: Option<&'static str>,
}

/// One egress probe to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressProbePlan {
    /// From where.
    pub origin: Origin,
    /// Towards what.
    pub target: Target,
    /// How.
    pub transport: Transport,
    /// By what means.
    pub via: Via,
    /// Where in the sandwich of controls.
    pub phase: Phase,
    /// Looked for in what the target received.
    pub nonce: String,
    /// Time to wait for an answer; at least four seconds, or a dead neighbour is misread as a drop.
    pub timeout: Duration,
}

/// What the agent removed of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TeardownReport {
    /// Objects removed.
    pub removed: u32,
    /// Objects that stay, each with its reason.
    pub kept: Vec<String>,
}
