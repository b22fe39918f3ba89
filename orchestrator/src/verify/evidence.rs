//! What the rules look at: plain records, free of gRPC and Kubernetes types, so that every verdict can be tested from
//! recorded evidence.
//!
//! Times are nanoseconds of one agent's monotonic clock; they compare within a cluster, never across clusters.

use portproof_proto::bundle::Bundle;
use portproof_proto::canonical::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What happened to one request of a load plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When it was due.
    pub due_ns: u64,
    /// When it was sent.
    pub sent_ns: u64,
    /// When the answer was complete.
    pub done_ns: u64,
    /// HTTP status; `None` without an answer.
    pub status: Option<u16>,
    /// Backend that answered, as it names itself.
    pub backend: Option<String>,
    /// Why it counts as failed; `None` for an answer in the 2xx range.
    pub failure: Option<TrafficFailure>,
    /// Connection it went over.
    pub connection: u32,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrafficFailure {
    /// No connection.
    Connect,
    /// The connection was reset.
    Reset,
    /// No answer in time.
    Timeout,
    /// The answer was not HTTP.
    Protocol,
    /// A status outside 2xx.
    Status,
    /// The generator could not send it in time: nothing is known about the gateway.
    Dropped,
}

/// A whole load plan with what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficRecord {
    /// One sample for each request, in the order they were due.
    pub samples: Vec<Sample>,
    /// Requests of the plan.
    pub scheduled: u32,
    /// Requests that left more than one millisecond late.
    pub started_late: u32,
    /// What the backends counted themselves, by backend name; empty where they were not asked.
    pub received: BTreeMap<String, u64>,
}

/// A change of weights, as the agent made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitChange {
    /// Weights asked for: stable, canary.
    pub asked: (u32, u32),
    /// Just before the patch was sent.
    pub sent_ns: u64,
    /// When the API server had answered.
    pub acknowledged_ns: u64,
}

/// From which pod a probe went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The interpreter, under its RuntimeClass and policy.
    Sandbox,
    /// The twin on the same node, on the node's kernel, without egress policy.
    Control,
}

/// What a probe aims at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The canary listener, outside every allow-list.
    Canary,
    /// The one peer the sandbox may reach.
    AllowedPeer,
}

/// How a probe tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// A TCP connection that carries the nonce.
    Tcp,
    /// One datagram with the nonce.
    Udp,
    /// An HTTP request that must be answered.
    Http,
}

/// By what means a probe runs inside the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The probe built into the image.
    Native,
    /// Python code through the interpreter's public execute call.
    Python,
}

/// Where a probe stands in the sandwich of controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A control before the attempt.
    Before,
    /// The attempt itself.
    Attempt,
    /// A control after the attempt.
    After,
}

/// What the probe itself saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeOutcome {
    /// It went out (TCP: connected; UDP: left the socket; HTTP: answered).
    Sent,
    /// Refused at once.
    Refused,
    /// No answer in time.
    Timeout,
    /// No route, or administratively prohibited.
    Unreachable,
    /// The probe could not be run: no evidence either way.
    NotRun,
}

/// One egress probe with what both ends saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressObservation {
    /// From where.
    pub origin: Origin,
    /// Towards what.
    pub target: Target,
    /// How.
    pub transport: Transport,
    /// By what means.
    pub via: Via,
    /// Where in the sandwich.
    pub phase: Phase,
    /// What the probe saw.
    pub outcome: ProbeOutcome,
    /// Detail for people, for example the errno.
    pub detail: String,
    /// Whether the target recorded this probe's nonce; `None` when the target could not be asked.
    pub received: Option<bool>,
    /// Address that was probed.
    pub address: String,
}

/// Which kernel a pod stands on, read from inside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelFingerprint {
    /// Name of the pod.
    pub pod: String,
    /// Node the pod runs on.
    pub node: String,
    /// `uname -r`.
    pub release: String,
    /// `uname -v`.
    pub version: String,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// `/proc/version`.
    pub proc_version: String,
    /// Whether `/proc/sentry-meminfo` is there (gVisor).
    pub sentry_meminfo: bool,
    /// Whether `/proc/kallsyms` is there.
    pub kallsyms: bool,
    /// First line of the kernel log, where it may be read.
    pub kernel_log: String,
    /// Kernel version that the node reports of itself.
    pub node_kernel: String,
    /// RuntimeClass of the pod; empty for the default.
    pub runtime_class: String,
}

/// Both fingerprints that `sandbox/runtime` compares; a side that could not be read carries why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeEvidence {
    /// The interpreter's pod.
    pub sandbox: Result<KernelFingerprint, String>,
    /// The control pod on the same node.
    pub control: Result<KernelFingerprint, String>,
}

/// What became of one object of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedObject {
    /// `Kind/name`.
    pub object: String,
    /// What the agent did.
    pub outcome: ImportOutcome,
    /// Why, where it is not `Created`.
    pub reason: String,
    /// Digest of the projection as the bundle carries it.
    pub source: Option<Digest>,
    /// Digest of the projection as it was sent to the API server.
    pub request: Option<Digest>,
    /// Digest of the projection as the API server answered.
    pub admitted: Option<Digest>,
}

/// What an import did with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportOutcome {
    /// Created.
    Created,
    /// An identical object was there.
    Present,
    /// Another object of that name was there.
    Conflict,
    /// The API server refused it.
    Refused,
    /// A dry run could not try it.
    NotTried,
    /// The import does not say, or in words that this version does not know.
    Unknown,
}

/// The evidence of one carry from a source to a target cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct CarryEvidence {
    /// What was exported from the source.
    pub source: Bundle,
    /// What the target holds after the import has settled.
    pub target: Bundle,
    /// What the import said of each object.
    pub imported: Vec<ImportedObject>,
}

/// What became of a tool call, as the agent saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// The tool answered with what it promises.
    Ok,
    /// The tool ran and says that it failed.
    ToolError,
    /// No answer in time.
    Timeout,
    /// The answer does not conform to the tool's output schema.
    InvalidResult,
    /// The tool gateway answered with an error of the protocol.
    Refused,
    /// The tool gateway was not reached, or the connection broke.
    Transport,
}

impl CallOutcome {
    /// Whether no answer came: that says nothing about the tool.
    pub const fn is_lost(self) -> bool {
        matches!(self, Self::Timeout | Self::Transport)
    }
}

/// One call that the agent's answer rests on, by digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallEvidence {
    /// Id the model gave the call.
    pub call_id: String,
    /// Digest of the canonical arguments, `sha256:<hex>`; empty when there is none.
    pub arguments_sha256: String,
    /// Digest of the canonical result; empty when none came.
    pub result_sha256: String,
}

/// One tool call of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Id the model gave it.
    pub call_id: String,
    /// Name of the tool.
    pub tool: String,
    /// Arguments.
    pub arguments: Value,
    /// Structured result; `None` when the call never came back.
    pub result: Option<Value>,
    /// Whether the call gave no result to go on with.
    pub is_error: bool,
    /// What became of it; `None` while it is under way.
    #[serde(default)]
    pub outcome: Option<CallOutcome>,
    /// How often it was sent; 0 while that is not known.
    #[serde(default)]
    pub attempts: u32,
}

/// What an agent did with one task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskTranscript {
    /// Id of the task.
    pub task_id: String,
    /// Trace id the orchestrator made, 32 hex digits.
    pub trace_id: String,
    /// Id of the span the orchestrator made as the parent, 16 hex digits.
    pub root_span_id: String,
    /// Names of the tools the agent discovered.
    pub discovered: Vec<String>,
    /// Tool names of the plan, in order.
    pub plan: Vec<String>,
    /// Ids of the plan's calls, in order.
    #[serde(default)]
    pub planned: Vec<String>,
    /// The calls in the order of the plan: calls that run side by side begin in no order of their own.
    pub calls: Vec<ToolCall>,
    /// What the agent says its answer rests on.
    #[serde(default)]
    pub proof: Vec<CallEvidence>,
    /// Numbers of the answer that no tool gave.
    #[serde(default)]
    pub unsupported_numbers: Vec<String>,
    /// Requests that were sent again.
    #[serde(default)]
    pub retries: u32,
    /// The answer; `None` when the task failed.
    pub answer: Option<String>,
    /// What failed, where it failed.
    pub failure: Option<String>,
}

/// Kind of a span (OpenTelemetry).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpanKind {
    /// Within one process.
    Internal,
    /// Serves a request.
    Server,
    /// Makes a request.
    Client,
    /// Anything else.
    Other,
}

/// One span as it was received.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub span_id: String,
    /// 16 hex digits; empty for a root.
    pub parent_span_id: String,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: SpanKind,
    /// Start, nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// End, nanoseconds since the Unix epoch.
    pub end_ns: u64,
    /// Whether its status is Error.
    pub is_error: bool,
    /// Attributes of the span.
    pub attributes: BTreeMap<String, Value>,
    /// Attributes of the resource.
    pub resource: BTreeMap<String, Value>,
}

impl Span {
    /// A text attribute of the span.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).and_then(Value::as_str)
    }

    /// A text attribute of the resource.
    pub fn resource_text(&self, key: &str) -> Option<&str> {
        self.resource.get(key).and_then(Value::as_str)
    }
}

/// The spans one cluster's agent relayed, and what is known of those that did not come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TraceEvidence {
    /// Every span that arrived for the task's trace.
    pub spans: Vec<Span>,
    /// Batches the agent dropped or the relay missed.
    pub lost_batches: u64,
    /// Whether the relay broke off and nothing has arrived since: what the agent held may be gone with it.
    pub interrupted: bool,
    /// `service.name` of every process of which any span arrived, in this trace or another.
    pub heard: BTreeSet<String>,
    /// Whether the wait for more ended by its deadline and not by completeness.
    pub timed_out: bool,
}
