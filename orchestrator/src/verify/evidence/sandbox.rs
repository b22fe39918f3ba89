//! What probes out of a sandbox saw, and what its kernel is.

use serde::{Deserialize, Serialize};

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
    /// RuntimeClass of the pod; empty for the default.
    pub runtime_class: String,
}

/// What `sandbox/runtime` compares; what could not be read carries why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeEvidence {
    /// The interpreter's pod.
    pub sandbox: Result<KernelFingerprint, String>,
    /// The control pod on the same node.
    pub control: Result<KernelFingerprint, String>,
    /// Kernel release that the node of the control pod reports of itself.
    pub node_kernel: Result<String, String>,
}
