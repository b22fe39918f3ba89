//! Spans as they were received.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

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

/// A pod of a part of the stack, as it stood at some time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PartPod {
    /// The part, which is the `service.name` of its spans.
    pub part: String,
    /// UID of the pod.
    pub uid: String,
    /// Restarts of its containers.
    pub restarts: u32,
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
    /// Parts of which a process ended while the tasks ran, with what it had not sent yet: by their `service.name`.
    pub restarted: BTreeSet<String>,
    /// Whether the wait for more ended by its deadline and not by completeness.
    pub timed_out: bool,
}
