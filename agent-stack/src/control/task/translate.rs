//! What the agent of the stack reports, in the words of the contract.

use crate::agent::event::{AgentEvent, CallEvidence, CallOutcome, FailedPart, PlannedStep};
use portproof_proto::canonical::{self, CanonicalError};
use portproof_proto::v1::task_event::Event;
use portproof_proto::v1::{
    self, TaskAnswer, TaskFailure, TaskPlan, ToolCall, ToolResult, ToolsDiscovered,
};

/// The event as the caller of `RunTask` gets it.
///
/// # Errors
/// When arguments or a result have no canonical form.
pub(super) fn translate(event: AgentEvent) -> Result<Event, CanonicalError> {
    Ok(match event {
        AgentEvent::Tools {
            names,
            protocol_version,
        } => Event::Tools(ToolsDiscovered {
            names,
            protocol_version,
        }),
        AgentEvent::Plan { steps } => Event::Plan(plan(steps)),
        AgentEvent::Call {
            call_id,
            tool,
            arguments,
        } => Event::Call(ToolCall {
            call_id,
            tool,
            arguments_json: canonical::to_text(&arguments)?,
        }),
        AgentEvent::Result {
            call_id,
            tool,
            outcome,
            attempts,
            result,
        } => Event::Result(ToolResult {
            call_id,
            tool,
            is_error: outcome.is_error(),
            result_json: canonical::to_text(&result)?,
            outcome: became(outcome).into(),
            attempts,
        }),
        AgentEvent::Answer {
            text,
            prompt_tokens,
            completion_tokens,
            model_backend,
            evidence,
            unsupported_numbers,
            retries,
        } => Event::Answer(TaskAnswer {
            text,
            prompt_tokens,
            completion_tokens,
            model_backend,
            evidence: evidence.into_iter().map(witnessed).collect(),
            unsupported_numbers,
            retries,
        }),
        AgentEvent::Failure {
            part,
            message,
            outcome,
            evidence,
            retries,
        } => Event::Failure(failed(part, message, outcome, evidence, retries)),
    })
}

fn failed(
    part: FailedPart,
    message: String,
    outcome: Option<CallOutcome>,
    evidence: Vec<CallEvidence>,
    retries: u32,
) -> TaskFailure {
    let outcome = outcome.map_or(v1::CallOutcome::Unspecified, became);
    TaskFailure {
        part: part.name().to_owned(),
        message,
        outcome: outcome.into(),
        evidence: evidence.into_iter().map(witnessed).collect(),
        retries,
    }
}

fn plan(steps: Vec<PlannedStep>) -> TaskPlan {
    TaskPlan {
        steps: steps.into_iter().map(planned).collect(),
    }
}

fn planned(step: PlannedStep) -> v1::PlannedStep {
    let PlannedStep {
        call_id,
        tool,
        waits_for,
    } = step;
    v1::PlannedStep {
        call_id,
        tool,
        waits_for,
    }
}

fn witnessed(call: CallEvidence) -> v1::CallEvidence {
    let CallEvidence {
        call_id,
        tool,
        arguments_sha256,
        result_sha256,
        attempts,
        outcome,
    } = call;
    v1::CallEvidence {
        call_id,
        tool,
        arguments_sha256: arguments_sha256.unwrap_or_default(),
        result_sha256: result_sha256.unwrap_or_default(),
        attempts,
        outcome: became(outcome).into(),
    }
}

const fn became(outcome: CallOutcome) -> v1::CallOutcome {
    match outcome {
        CallOutcome::Ok => v1::CallOutcome::Ok,
        CallOutcome::ToolError => v1::CallOutcome::ToolError,
        CallOutcome::Timeout => v1::CallOutcome::Timeout,
        CallOutcome::InvalidResult => v1::CallOutcome::InvalidResult,
        CallOutcome::Refused => v1::CallOutcome::Refused,
        CallOutcome::Transport => v1::CallOutcome::Transport,
    }
}
