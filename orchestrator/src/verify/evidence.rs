//! What the rules look at: plain records, free of gRPC and Kubernetes types, so that every verdict can be tested from
//! recorded evidence.
//!
//! Times are nanoseconds of one agent's monotonic clock; they compare within a cluster, never across clusters.

mod carry;
mod sandbox;
mod task;
mod trace;
mod traffic;

pub use carry::{CarryEvidence, ImportOutcome, ImportedObject};
pub use sandbox::{
    EgressObservation, KernelFingerprint, Origin, Phase, ProbeOutcome, RuntimeEvidence, Target,
    Transport, Via,
};
pub use task::{CallEvidence, CallOutcome, TaskTranscript, ToolCall};
pub use trace::{PartPod, Span, SpanKind, TraceEvidence};
pub use traffic::{ByName, Sample, SplitChange, TrafficFailure, TrafficRecord};
