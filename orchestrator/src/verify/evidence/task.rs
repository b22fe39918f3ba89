//! What an agent did with a task: its calls, its answer, what both rest on.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
