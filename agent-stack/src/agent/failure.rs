//! Why a task failed, and in which part of the stack.

use super::chat::ChatError;
use super::event::{AgentEvent, CallOutcome, FailedPart};
use super::evidence::Ledger;
use super::mcp::McpError;
use super::output::OutputSchemaError;
use crate::plan::PlanError;
use crate::telemetry::chain;

/// Why a task failed.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The model.
    #[error("the model failed")]
    Chat(#[source] ChatError),
    /// What the model planned cannot be done.
    #[error("the model's plan cannot be carried out")]
    Plan(#[source] PlanError),
    /// The model's answer has no text.
    #[error("the model gave no answer")]
    NoAnswer,
    /// The model says that it will not do what it is asked.
    #[error("the model refused: \"{words}\"")]
    Refused {
        /// What it says.
        words: String,
    },
    /// The tool gateway.
    #[error("the tool gateway failed")]
    Mcp(#[source] McpError),
    /// What a tool promises cannot be checked.
    #[error("the results of `{tool}` cannot be checked")]
    OutputSchema {
        /// Name of the tool.
        tool: String,
        /// What is wrong with its schema.
        #[source]
        source: OutputSchemaError,
    },
    /// A call of a tool.
    #[error("the tool `{tool}` {}: {message}", became(*outcome))]
    Call {
        /// Name of the tool.
        tool: String,
        /// What became of the call.
        outcome: CallOutcome,
        /// What the tool or the error says.
        message: String,
    },
    /// Its time is over.
    #[error("the task was not done within {seconds} s")]
    Deadline {
        /// The time it had.
        seconds: u64,
    },
    /// Nobody waits for it any more.
    #[error("the caller left before the task was done")]
    Abandoned,
    /// A result lacks what a later step was to be called with.
    #[error("`{tool}` cannot be called, because in the result of `{from}` {lack}")]
    NothingThere {
        /// Name of the tool that was to be called.
        tool: String,
        /// Name of the tool whose result it is.
        from: String,
        /// What is not there.
        lack: String,
    },
    /// The arguments of a step make no sense.
    #[error("the arguments of `{tool}` cannot be made")]
    Arguments {
        /// Name of the tool.
        tool: String,
        /// What is wrong with them.
        #[source]
        source: PlanError,
    },
}

const fn became(outcome: CallOutcome) -> &'static str {
    match outcome {
        CallOutcome::Ok => "answered",
        CallOutcome::ToolError => "failed",
        CallOutcome::Timeout => "did not answer in time",
        CallOutcome::InvalidResult => "returned what it does not promise",
        CallOutcome::Refused => "was refused",
        CallOutcome::Transport => "could not be reached",
    }
}

impl TaskError {
    pub(super) const fn part(&self) -> FailedPart {
        match self {
            Self::Chat(_) | Self::Plan(_) | Self::NoAnswer | Self::Refused { .. } => {
                FailedPart::Model
            }
            Self::Mcp(_) => FailedPart::Gateway,
            Self::Call { outcome, .. } => match outcome {
                CallOutcome::Refused | CallOutcome::Transport => FailedPart::Gateway,
                _ => FailedPart::Tool,
            },
            Self::OutputSchema { .. } => FailedPart::Tool,
            Self::NothingThere { .. }
            | Self::Arguments { .. }
            | Self::Deadline { .. }
            | Self::Abandoned => FailedPart::Agent,
        }
    }

    const fn outcome(&self) -> Option<CallOutcome> {
        match self {
            Self::Call { outcome, .. } => Some(*outcome),
            _ => None,
        }
    }

    pub(super) fn event(&self, ledger: &Ledger) -> AgentEvent {
        AgentEvent::Failure {
            part: self.part(),
            message: chain(self),
            outcome: self.outcome(),
            evidence: ledger.evidence(),
            retries: ledger.retries(),
        }
    }
}
