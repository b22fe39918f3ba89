//! One task through the stack's own HTTP interface, shown while it runs.

use super::AllError;
use super::console::Console;
use super::stack::Addresses;
use crate::agent::{AgentEvent, FailedPart, TaskRequest};
use crate::http_client::{self, HttpError};
use std::io::Write;
use std::time::Duration;

/// Time beyond the task's deadline that its stream may take to end.
const ROOM: Duration = Duration::from_secs(10);

/// Why the task was not done.
#[derive(Debug, thiserror::Error)]
pub enum TaskFailed {
    /// A signal came.
    #[error("it was interrupted")]
    Interrupted,
    /// A part of the stack failed.
    #[error("the {part} failed")]
    Failed {
        /// The part.
        part: FailedPart,
    },
    /// The agent did not take it.
    #[error("the agent answered {status}: {text}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said.
        text: String,
    },
    /// The client cannot be set up.
    #[error("the client cannot be set up")]
    Client(#[source] HttpError),
    /// The agent was not reached.
    #[error("the agent does not answer")]
    Transport(#[source] reqwest::Error),
    /// The agent reported what is no event.
    #[error("the agent reported what is no event")]
    Event(#[source] serde_json::Error),
    /// The report ended before an answer or a failure.
    #[error("the agent's report broke off")]
    Unfinished,
}

/// Does the task and shows its events.
pub(super) async fn run<W: Write>(
    addresses: &Addresses,
    prompt: &str,
    deadline_seconds: u32,
    console: &mut Console<W>,
) -> Result<(), AllError> {
    let task = TaskRequest {
        task_id: "task".to_owned(),
        prompt: prompt.to_owned(),
        deadline_seconds,
    };
    let mut answer = post(addresses, &task).await.map_err(AllError::Task)?;
    let mut rest = Vec::new();
    loop {
        let chunk = answer.chunk().await.map_err(TaskFailed::Transport);
        let Some(chunk) = chunk.map_err(AllError::Task)? else {
            return Err(AllError::Task(TaskFailed::Unfinished));
        };
        rest.extend_from_slice(&chunk);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let event = serde_json::from_slice(&line).map_err(TaskFailed::Event);
            let event: AgentEvent = event.map_err(AllError::Task)?;
            console.event(&event).map_err(AllError::Output)?;
            match event {
                AgentEvent::Answer { .. } => return Ok(()),
                AgentEvent::Failure { part, .. } => {
                    return Err(AllError::Task(TaskFailed::Failed { part }));
                }
                _ => {}
            }
        }
    }
}

async fn post(addresses: &Addresses, task: &TaskRequest) -> Result<reqwest::Response, TaskFailed> {
    let limit = Duration::from_secs(task.deadline_seconds.into()) + ROOM;
    let client = http_client::client(limit).map_err(TaskFailed::Client)?;
    let url = format!("http://{}/v1/tasks", addresses.agent);
    let sent = client.post(url).json(task).send().await;
    let answer = sent.map_err(TaskFailed::Transport)?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    Err(TaskFailed::Refused {
        status: answer.status().as_u16(),
        text: answer.text().await.map_err(TaskFailed::Transport)?,
    })
}
