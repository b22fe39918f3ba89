//! What the trace and the transcript say of the calls themselves.

use super::super::super::fixture::{retried, set, side_by_side, trace, transcript};
use super::{assert_fails, judged, mutated};
use crate::verify::evidence::{CallOutcome, TaskTranscript};
use portproof_proto::telemetry;
use serde_json::json;

#[test]
fn details_that_do_not_match_the_call_are_noticed() {
    for (id, key) in [
        ("execute-0", telemetry::TOOL_NAME),
        ("execute-0", telemetry::ARGS_DIGEST),
        ("execute-1", telemetry::RESULT_DIGEST),
        ("server-0", telemetry::TOOL_NAME),
        ("server-1", telemetry::ARGS_DIGEST),
        ("client-0", telemetry::JSONRPC_ID),
        ("server-0", telemetry::JSONRPC_ID),
        ("client-1", telemetry::ATTEMPT),
    ] {
        assert_fails(mutated(id, |span| set(span, key, json!("other"))), "T11 ");
        assert_fails(
            mutated(id, |span| drop(span.attributes.remove(key))),
            "T11 ",
        );
    }
}

#[test]
fn calls_side_by_side_are_siblings_of_one_chain() {
    assert_eq!(judged(&transcript(), &side_by_side()).0, "passed");
    let mut early = side_by_side();
    for span in &mut early.spans {
        if span.span_id == "execute-1" {
            span.start_ns -= 200_000_000;
        }
    }
    assert_fails(
        judged(&transcript(), &early),
        "T09 `execute_tool run_python` began before the plan was made",
    );
}

#[test]
fn a_call_of_several_attempts_is_followed_to_the_one_that_was_answered() {
    let (transcript, trace) = retried();
    assert_eq!(judged(&transcript, &trace).0, "passed");
}

#[test]
fn attempts_that_the_agent_did_not_report_or_the_trace_does_not_show_are_noticed() {
    let (reported, trace) = retried();
    assert_fails(
        judged(&transcript(), &trace),
        "T07 `execute_tool lookup_price` shows 2 attempts, the agent reported 1",
    );
    let mut gap = trace.clone();
    gap.spans.retain(|span| span.span_id != "client-0-lost");
    assert_fails(
        judged(&reported, &gap),
        "shows 1 attempts, the agent reported 2",
    );
    gap.lost_batches = 1;
    assert_eq!(judged(&reported, &gap).0, "inconclusive");
}

#[test]
fn an_attempt_that_was_repeated_without_a_reason_is_noticed() {
    let (transcript, mut trace) = retried();
    for span in trace
        .spans
        .iter_mut()
        .filter(|span| span.span_id == "client-0-lost")
    {
        span.is_error = false;
        span.attributes.remove(telemetry::ERROR_TYPE);
    }
    assert_fails(
        judged(&transcript, &trace),
        "T13 an attempt of `tools/call lookup_price`",
    );
}

#[test]
fn a_lost_call_needs_no_server_and_any_other_does() {
    let mut lost = transcript();
    lost.calls[0].is_error = true;
    lost.calls[0].outcome = Some(CallOutcome::Transport);
    lost.calls[0].result = None;
    lost.proof[0].result_sha256.clear();
    let mut trace = trace();
    trace.spans.retain(|span| span.span_id != "server-0");
    for span in trace
        .spans
        .iter_mut()
        .filter(|span| span.span_id == "execute-0" || span.span_id == "client-0")
    {
        span.is_error = true;
        set(span, telemetry::ERROR_TYPE, json!("transport"));
    }
    assert_eq!(judged(&lost, &trace).0, "passed");
    lost.calls[0].outcome = Some(CallOutcome::ToolError);
    assert_fails(judged(&lost, &trace), "T07 no MCP SERVER span");
}

#[test]
fn a_proof_of_another_exchange_is_noticed() {
    for change in [
        |task: &mut TaskTranscript| task.proof[0].result_sha256 = "sha256:00".into(),
        |task: &mut TaskTranscript| task.proof[1].arguments_sha256.clear(),
        |task: &mut TaskTranscript| drop(task.proof.pop()),
    ] {
        let mut transcript = transcript();
        change(&mut transcript);
        assert_fails(judged(&transcript, &trace()), "T11 the answer");
    }
}

#[test]
fn a_call_that_the_agent_did_not_report_is_noticed() {
    let mut transcript = transcript();
    transcript.calls.remove(0);
    assert_fails(
        judged(&transcript, &trace()),
        "T09 the trace shows a tool call call-1",
    );
}

#[test]
fn a_call_under_another_id_is_noticed() {
    assert_fails(
        mutated("execute-0", |span| {
            set(span, telemetry::TOOL_CALL_ID, json!("call-9"));
        }),
        "T09 ",
    );
}

#[test]
fn errors_are_named_and_only_errors_are() {
    assert_fails(mutated("server-0", |span| span.is_error = true), "T13 ");
    assert_fails(
        mutated("server-0", |span| {
            set(span, telemetry::ERROR_TYPE, json!("tool_error"));
        }),
        "T13 ",
    );
    let mut broken = transcript();
    broken.calls[0].is_error = true;
    assert_fails(
        judged(&broken, &trace()),
        "T13 the call of lookup_price failed",
    );
    let mut honest = trace();
    for span in honest
        .spans
        .iter_mut()
        .filter(|span| span.span_id == "execute-0")
    {
        span.is_error = true;
        set(span, telemetry::ERROR_TYPE, json!("tool_error"));
    }
    assert_eq!(judged(&broken, &honest).0, "passed");
}
