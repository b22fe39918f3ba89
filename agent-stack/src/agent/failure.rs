//! Why a task failed, and in which part of the stack.

use super::chat::ChatError;
use super::event::{AgentEvent, FailedPart};
use super::mcp::McpError;
use crate::plan::PlanError;
use std::error::Error as _;

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
    /// The tool gateway.
    #[error("the tool gateway failed")]
    Mcp(#[source] McpError),
    /// A tool.
    #[error("the tool `{tool}` failed: {message}")]
    Tool {
        /// Name of the tool.
        tool: String,
        /// What it said.
        message: String,
    },
    /// Its time is over.
    #[error("the task was not done within {seconds} s")]
    Deadline {
        /// The time it had.
        seconds: u64,
    },
    /// An earlier result lacks what a later step needs.
    #[error("the arguments of `{tool}` cannot be made")]
    Arguments {
        /// Name of the tool.
        tool: String,
        /// What is missing.
        #[source]
        source: PlanError,
    },
}

impl TaskError {
    pub(super) const fn part(&self) -> FailedPart {
        match self {
            Self::Chat(_) | Self::Plan(_) | Self::NoAnswer => FailedPart::Model,
            Self::Mcp(_) => FailedPart::Gateway,
            Self::Tool { .. } => FailedPart::Tool,
            Self::Arguments { .. } | Self::Deadline { .. } => FailedPart::Agent,
        }
    }

    /// The whole chain, for people.
    pub(super) fn explain(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    }

    pub(super) fn event(&self) -> AgentEvent {
        AgentEvent::Failure {
            part: self.part(),
            message: self.explain(),
        }
    }
}
