//! What became of load on a weighted route, and of a change of its weights.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
    /// Whether the canary is there at all, asked where the load before this one had not met it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_name: Option<ByName>,
}

/// What became of requests that asked for the canary by name, on the same way through the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByName {
    /// Requests.
    pub asked: u32,
    /// Answers of the canary.
    pub answered: u32,
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
