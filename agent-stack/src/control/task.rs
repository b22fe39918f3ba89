//! `RunTask`: hands one task to the agent of the stack and passes on what it reports.

mod translate;

use super::peers::Peers;
use super::stream::Events;
use super::{clock, failure};
use crate::agent::MAX_SECONDS;
use crate::telemetry::{TRACEPARENT, parse_traceparent, traceparent};
use portproof_proto::canonical::CanonicalError;
use portproof_proto::names::Part;
use portproof_proto::v1::task_event::Event;
use portproof_proto::v1::{RunTaskRequest, TaskEvent};
use serde_json::json;
use std::time::Duration;
use tonic::{Code, Status};
use translate::translate;

const DEFAULT_DEADLINE: Duration = Duration::from_mins(1);
/// The longest the agent takes.
const LONGEST_DEADLINE: Duration = Duration::from_secs(MAX_SECONDS as u64);
/// Time beyond its deadline in which the agent may tell that the task is over.
const LAST_WORDS: Duration = Duration::from_secs(3);
const PATH: &str = "/v1/tasks";
/// Longest line of the agent's report, in bytes.
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// Why it is unknown what became of a task.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TaskError {
    /// The trace context is none.
    #[error("`{traceparent}` is no W3C traceparent")]
    Traceparent { traceparent: String },
    /// The agent was not reached, or the connection broke.
    #[error("the agent did not report")]
    Transport(#[from] reqwest::Error),
    /// The agent did not take the task.
    #[error("the agent answered with {status}: {text}")]
    Refused { status: u16, text: String },
    /// A line of the report is not an event.
    #[error("the agent reported what is no event")]
    Event(#[from] serde_json::Error),
    /// A line of the report is too long.
    #[error("the agent reported a line of more than {MAX_LINE_BYTES} bytes")]
    TooLong,
    /// Arguments or a result have no canonical form.
    #[error("what the agent reported has no canonical form")]
    Canonical(#[from] CanonicalError),
    /// The report ended before an answer or a failure.
    #[error("the agent's report broke off")]
    Unfinished,
}

impl From<TaskError> for Status {
    fn from(error: TaskError) -> Self {
        let code = match &error {
            TaskError::Traceparent { .. } => Code::InvalidArgument,
            TaskError::Refused { .. } => Code::FailedPrecondition,
            TaskError::Transport(_) | TaskError::Unfinished => Code::Unavailable,
            TaskError::Event(_) | TaskError::TooLong | TaskError::Canonical(_) => Code::Internal,
        };
        failure::status(code, &error)
    }
}

/// The time a request gives, within reason.
pub(crate) fn deadline(request: &RunTaskRequest) -> Duration {
    match request.deadline_s {
        0 => DEFAULT_DEADLINE,
        seconds => Duration::from_secs(u64::from(seconds)).min(LONGEST_DEADLINE),
    }
}

/// Runs one task to its answer or failure.
pub(crate) async fn run(
    peers: &Peers,
    request: &RunTaskRequest,
    events: &Events<TaskEvent>,
) -> Result<(), TaskError> {
    let mut report = start(peers, request).await?;
    let mut lines = Lines::default();
    let mut finished = false;
    while let Some(chunk) = report.chunk().await? {
        for line in lines.push(&chunk)? {
            let event = translate(serde_json::from_slice(&line)?)?;
            finished |= matches!(event, Event::Answer(_) | Event::Failure(_));
            events
                .send(TaskEvent {
                    monotonic_ns: clock::now_ns(),
                    event: Some(event),
                })
                .await;
        }
    }
    if finished {
        Ok(())
    } else {
        Err(TaskError::Unfinished)
    }
}

async fn start(peers: &Peers, request: &RunTaskRequest) -> Result<reqwest::Response, TaskError> {
    let context = parse_traceparent(&request.traceparent);
    let traceparent = traceparent(&context).ok_or_else(|| TaskError::Traceparent {
        traceparent: request.traceparent.clone(),
    })?;
    let deadline = deadline(request);
    let task = json!({"taskId": request.task_id, "prompt": request.prompt, "deadlineSeconds": deadline.as_secs()});
    let post = peers
        .http()
        .post(peers.url(Part::Agent, PATH))
        .header(TRACEPARENT, traceparent);
    let answer = post
        .timeout(deadline + LAST_WORDS)
        .json(&task)
        .send()
        .await?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status().as_u16();
    Err(TaskError::Refused {
        status,
        text: answer.text().await?.chars().take(300).collect(),
    })
}

/// Cuts a byte stream into lines. Those who do that elsewhere take what is left at the end for a line too, and here it is
/// what shows that the report broke off.
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// The lines that `chunk` completes, without those that are empty.
    fn push(&mut self, chunk: &[u8]) -> Result<Vec<Vec<u8>>, TaskError> {
        self.rest.extend_from_slice(chunk);
        let mut lines = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let mut line: Vec<_> = self.rest.drain(..=end).collect();
            line.pop();
            lines.push(line);
        }
        lines.retain(|line| !line.trim_ascii().is_empty());
        if self.rest.len() > MAX_LINE_BYTES {
            Err(TaskError::TooLong)
        } else {
            Ok(lines)
        }
    }
}

#[cfg(test)]
mod tests;
