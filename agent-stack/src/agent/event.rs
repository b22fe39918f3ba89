//! What the agent reports while it works on a task: one JSON object per line (NDJSON).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// One line of the answer to `POST /v1/tasks`.
///
/// A task ends with exactly one [`AgentEvent::Answer`] or [`AgentEvent::Failure`]; a stream that ends without either
/// was cut off.
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
        /// Tool names in the order the plan calls them.
        steps: Vec<String>,
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
    /// A tool answered.
    Result {
        /// Id the model gave the call.
        call_id: String,
        /// Name of the tool.
        tool: String,
        /// Whether the tool says the call failed.
        is_error: bool,
        /// The structured result; for a failed call the text of the error.
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
    },
    /// The task failed.
    Failure {
        /// Which part failed.
        part: FailedPart,
        /// Why, for people.
        message: String,
    },
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
            is_error: true,
            result: json!({"x": 1}),
        };
        let expected = json!({"type": "result", "callId": "call-1", "tool": "t", "isError": true, "result": {"x": 1}});
        assert_eq!(serde_json::to_value(&event).unwrap(), expected);
        assert_eq!(
            serde_json::from_value::<AgentEvent>(expected).unwrap(),
            event
        );
    }

    #[test]
    fn the_failed_part_is_written_by_its_name() {
        for part in [
            FailedPart::Model,
            FailedPart::Gateway,
            FailedPart::Tool,
            FailedPart::Agent,
        ] {
            assert_eq!(serde_json::to_value(part).unwrap(), part.name());
        }
    }
}
