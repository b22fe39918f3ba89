//! Tasks and what the agent reports of them.

use super::seconds;
use crate::rpc::error::RpcError;
use crate::rpc::request::TaskOrder;
use crate::verify::evidence::{CallEvidence, CallOutcome, TaskTranscript, ToolCall};
use portproof_proto::v1;
use serde_json::Value;

pub(in crate::rpc) fn task_request(order: &TaskOrder) -> v1::RunTaskRequest {
    v1::RunTaskRequest {
        task_id: order.id.clone(),
        prompt: order.prompt.clone(),
        traceparent: format!("00-{}-{}-01", order.trace_id, order.root_span_id),
        deadline_s: seconds(order.deadline),
    }
}

pub(in crate::rpc) fn transcript(order: &TaskOrder) -> TaskTranscript {
    TaskTranscript {
        task_id: order.id.clone(),
        trace_id: order.trace_id.clone(),
        root_span_id: order.root_span_id.clone(),
        ..TaskTranscript::default()
    }
}

/// Adds an event of the agent to the transcript.
pub(in crate::rpc) fn task_event(
    event: v1::TaskEvent,
    transcript: &mut TaskTranscript,
) -> Result<(), RpcError> {
    use v1::task_event::Event;
    match event.event {
        Some(Event::Tools(tools)) => transcript.discovered = tools.names,
        Some(Event::Plan(plan)) => planned(plan, transcript),
        Some(Event::Call(call)) => tool_call(call, transcript)?,
        Some(Event::Result(result)) => tool_result(&result, transcript)?,
        Some(Event::Answer(answer)) => {
            transcript.answer = Some(answer.text);
            transcript.proof = answer.evidence.into_iter().map(proof).collect();
            transcript.unsupported_numbers = answer.unsupported_numbers;
            transcript.retries = answer.retries;
        }
        Some(Event::Failure(failure)) => {
            transcript.failure = Some(format!("{}: {}", failure.part, failure.message));
            transcript.proof = failure.evidence.into_iter().map(proof).collect();
            transcript.retries = failure.retries;
        }
        None => {}
    }
    Ok(())
}

fn planned(plan: v1::TaskPlan, transcript: &mut TaskTranscript) {
    let (ids, tools) = plan
        .steps
        .into_iter()
        .map(|step| (step.call_id, step.tool))
        .unzip();
    transcript.planned = ids;
    transcript.plan = tools;
}

/// Calls that run side by side begin in any order; the order of the plan is the same on every cluster.
fn tool_call(call: v1::ToolCall, transcript: &mut TaskTranscript) -> Result<(), RpcError> {
    transcript.calls.push(ToolCall {
        arguments: json(&call.arguments_json)?,
        call_id: call.call_id,
        tool: call.tool,
        result: None,
        is_error: false,
        outcome: None,
        attempts: 0,
    });
    let TaskTranscript { planned, calls, .. } = transcript;
    let place = |call: &ToolCall| planned.iter().position(|id| *id == call.call_id);
    calls.sort_by_key(|call| place(call).unwrap_or(usize::MAX));
    Ok(())
}

fn tool_result(result: &v1::ToolResult, transcript: &mut TaskTranscript) -> Result<(), RpcError> {
    let value = json(&result.result_json)?;
    let outcome = outcome(result.outcome());
    let call = transcript
        .calls
        .iter_mut()
        .find(|call| call.call_id == result.call_id);
    let call = call.ok_or_else(|| {
        protocol(format!(
            "a result of `{}` that nobody called",
            result.call_id
        ))
    })?;
    // Of a call whose answer was lost only the text of the error is told, and that is no result.
    call.result = Some(value).filter(|_| !outcome.is_some_and(CallOutcome::is_lost));
    call.is_error = result.is_error;
    call.outcome = outcome;
    call.attempts = result.attempts;
    Ok(())
}

fn proof(call: v1::CallEvidence) -> CallEvidence {
    CallEvidence {
        call_id: call.call_id,
        arguments_sha256: call.arguments_sha256,
        result_sha256: call.result_sha256,
    }
}

const fn outcome(outcome: v1::CallOutcome) -> Option<CallOutcome> {
    Some(match outcome {
        v1::CallOutcome::Unspecified => return None,
        v1::CallOutcome::Ok => CallOutcome::Ok,
        v1::CallOutcome::ToolError => CallOutcome::ToolError,
        v1::CallOutcome::Timeout => CallOutcome::Timeout,
        v1::CallOutcome::InvalidResult => CallOutcome::InvalidResult,
        v1::CallOutcome::Refused => CallOutcome::Refused,
        v1::CallOutcome::Transport => CallOutcome::Transport,
    })
}

fn json(text: &str) -> Result<Value, RpcError> {
    serde_json::from_str(text).map_err(|error| protocol(format!("what is no JSON ({error})")))
}

const fn protocol(what: String) -> RpcError {
    RpcError::Protocol {
        call: "RunTask",
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use v1::task_event::Event;

    fn told(events: impl IntoIterator<Item = Event>) -> TaskTranscript {
        let mut transcript = TaskTranscript::default();
        for event in events {
            let event = v1::TaskEvent {
                monotonic_ns: 0,
                event: Some(event),
            };
            task_event(event, &mut transcript).unwrap();
        }
        transcript
    }

    fn plan() -> Event {
        let steps = ["a", "b"].map(|id| v1::PlannedStep {
            call_id: id.into(),
            tool: "t".into(),
            waits_for: Vec::new(),
        });
        Event::Plan(v1::TaskPlan {
            steps: steps.into(),
        })
    }

    fn call(id: &str) -> Event {
        Event::Call(v1::ToolCall {
            call_id: id.into(),
            tool: "t".into(),
            arguments_json: "{}".into(),
        })
    }

    #[test]
    fn calls_stand_in_the_order_of_the_plan_whichever_began_first() {
        let transcript = told([plan(), call("b"), call("a")]);
        let ids: Vec<_> = transcript
            .calls
            .iter()
            .map(|call| call.call_id.as_str())
            .collect();
        assert_eq!(ids, ["a", "b"]);
        assert_eq!(transcript.plan, ["t", "t"]);
    }

    #[test]
    fn a_lost_answer_leaves_no_result() {
        let ended = |outcome: v1::CallOutcome| {
            let result = Event::Result(v1::ToolResult {
                call_id: "a".into(),
                tool: "t".into(),
                is_error: true,
                result_json: "\"why\"".into(),
                outcome: outcome.into(),
                attempts: 3,
            });
            told([plan(), call("a"), result]).calls.remove(0)
        };
        let lost = ended(v1::CallOutcome::Transport);
        assert_eq!(
            (lost.result, lost.outcome, lost.attempts),
            (None, Some(CallOutcome::Transport), 3)
        );
        let failed = ended(v1::CallOutcome::ToolError);
        assert_eq!(failed.result, Some(Value::from("why")));
    }
}
