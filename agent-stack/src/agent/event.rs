//! What the agent reports while it works on a task: JSON objects, as NDJSON or as server-sent events.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// One event of the answer to `POST /v1/tasks`.
///
/// A task ends with exactly one [`AgentEvent::Answer`] or [`AgentEvent::Failure`]; a stream that ends without either
/// was cut off. Calls that run side by side report their results in the order they end; the evidence at the end is in
/// the order of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum AgentEvent {
    /// The tools the agent found over MCP before it planned.
    Tools {
        /// Their names, in the order the server lists them.
        names: Vec<String>,
        /// MCP revision in use, for example `2026-07-28`.
        protocol_version: String,
    },
    /// The model made a plan.
    Plan {
        /// The calls in the order of the plan.
        steps: Vec<PlannedStep>,
    },
    /// A tool is about to be called.
    Call {
        /// Id the model gave the call.
        call_id: String,
        /// Name of the tool.
        tool: String,
        /// Arguments, with every reference to an earlier result resolved.
        arguments: Value,
    },
    /// A call has ended.
    Result {
        /// Id the model gave the call.
        call_id: String,
        /// Name of the tool.
        tool: String,
        /// What became of it.
        outcome: CallOutcome,
        /// How often it was sent.
        attempts: u32,
        /// The structured result; without one the text of the tool or of the error.
        result: Value,
    },
    /// The task is done.
    Answer {
        /// The answer for the person who asked.
        text: String,
        /// Tokens of all prompts of the task.
        prompt_tokens: u32,
        /// Tokens of all completions of the task.
        completion_tokens: u32,
        /// `x-portproof-backend` of the model server that gave the answer.
        model_backend: String,
        /// What the answer rests on: every call in the order of the plan.
        evidence: Vec<CallEvidence>,
        /// Numbers of the text that stand neither in the prompt nor in an argument or a result.
        unsupported_numbers: Vec<String>,
        /// Requests that were sent again, to the model and to tools.
        retries: u32,
    },
    /// The task failed.
    Failure {
        /// Which part failed.
        part: FailedPart,
        /// Why, for people.
        message: String,
        /// What became of the call that failed, where one did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outcome: Option<CallOutcome>,
        /// Every call that was begun, in the order of the plan.
        evidence: Vec<CallEvidence>,
        /// Requests that were sent again, to the model and to tools.
        retries: u32,
    },
}

impl AgentEvent {
    /// The name used on the wire, for example `answer`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Tools { .. } => "tools",
            Self::Plan { .. } => "plan",
            Self::Call { .. } => "call",
            Self::Result { .. } => "result",
            Self::Answer { .. } => "answer",
            Self::Failure { .. } => "failure",
        }
    }
}

/// One call of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// Id of the call.
    pub call_id: String,
    /// Name of the tool.
    pub tool: String,
    /// Calls that must be done before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<String>,
}

/// What became of a tool call.
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
    /// The name used on the wire and as `error.type` of spans.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ToolError => "tool_error",
            Self::Timeout => "timeout",
            Self::InvalidResult => "invalid_result",
            Self::Refused => "refused",
            Self::Transport => "transport",
        }
    }

    /// Whether the call gave no result that a plan may go on with.
    pub fn is_error(self) -> bool {
        self != Self::Ok
    }
}

impl fmt::Display for CallOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One call, by digests of what was sent and what came back. It is made from the MCP exchange and from nothing a model
/// says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallEvidence {
    /// Id the model gave the call.
    pub call_id: String,
    /// Name of the tool.
    pub tool: String,
    /// Digest of the canonical arguments; `None` when they have no canonical form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments_sha256: Option<String>,
    /// Digest of the canonical result; `None` when the tool returned none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_sha256: Option<String>,
    /// How often the call was sent.
    pub attempts: u32,
    /// What became of it.
    pub outcome: CallOutcome,
}

/// The part of the stack a task failed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailedPart {
    /// The model server, or what it said.
    Model,
    /// The tool gateway could not be reached or spoke no MCP.
    Gateway,
    /// A tool was reached and failed.
    Tool,
    /// The agent itself.
    Agent,
}

impl FailedPart {
    /// The name used on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Gateway => "gateway",
            Self::Tool => "tool",
            Self::Agent => "agent",
        }
    }
}

impl fmt::Display for FailedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_are_written_in_camel_case_under_a_type() {
        let event = AgentEvent::Result {
            call_id: "call-1".into(),
            tool: "t".into(),
            outcome: CallOutcome::ToolError,
            attempts: 1,
            result: json!({"x": 1}),
        };
        let expected = json!({"type": "result", "callId": "call-1", "tool": "t", "outcome": "tool_error", "attempts": 1, "result": {"x": 1}});
        assert_eq!(serde_json::to_value(&event).unwrap(), expected);
        assert_eq!(
            serde_json::from_value::<AgentEvent>(expected).unwrap(),
            event
        );
        assert_eq!(event.name(), "result");
    }

    #[test]
    fn outcomes_and_failed_parts_are_written_by_their_names() {
        for part in [
            FailedPart::Model,
            FailedPart::Gateway,
            FailedPart::Tool,
            FailedPart::Agent,
        ] {
            assert_eq!(serde_json::to_value(part).unwrap(), part.name());
        }
        for outcome in [
            CallOutcome::Ok,
            CallOutcome::ToolError,
            CallOutcome::Timeout,
            CallOutcome::InvalidResult,
            CallOutcome::Refused,
            CallOutcome::Transport,
        ] {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.name());
        }
    }
}
