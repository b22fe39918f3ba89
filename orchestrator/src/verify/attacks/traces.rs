use crate::verify::evidence::{TaskTranscript, TraceEvidence};
use crate::verify::traces::fixture::{CLUSTER, trace, transcript};
use crate::verify::traces::{TracedTask, plan_to_tool};
use portproof_proto::telemetry;

fn judged(transcript: &TaskTranscript, trace: &TraceEvidence, cluster: &str) -> &'static str {
    plan_to_tool(&[TracedTask { transcript, trace }], cluster)
        .verdict
        .word()
}

#[test]
fn when_no_span_arrived_at_all_nothing_is_known() {
    let silent = TraceEvidence {
        timed_out: true,
        ..TraceEvidence::default()
    };
    assert_eq!(judged(&transcript(), &silent, CLUSTER), "inconclusive");
}

#[test]
fn a_cluster_without_an_identity_has_no_spans_of_its_own() {
    let mut trace = trace();
    for span in &mut trace.spans {
        let uid = serde_json::Value::from("");
        span.resource.insert(telemetry::CLUSTER_UID.to_owned(), uid);
    }
    assert_eq!(judged(&transcript(), &trace, ""), "inconclusive");
}

#[test]
fn one_span_does_not_stand_for_two_calls() {
    let mut twice = transcript();
    twice.calls.push(twice.calls[1].clone());
    assert_eq!(judged(&twice, &trace(), CLUSTER), "failed");
}

#[test]
fn a_call_that_ran_twice_and_was_reported_once_is_noticed() {
    let mut trace = trace();
    let again = trace.spans.iter().find(|span| span.span_id == "execute-1");
    let mut again = again.unwrap().clone();
    again.span_id = "execute-1-again".into();
    trace.spans.push(again);
    assert_eq!(judged(&transcript(), &trace, CLUSTER), "failed");
}

#[test]
fn a_tool_call_without_an_id_is_a_call_that_was_not_reported() {
    let mut trace = trace();
    let hidden = trace.spans.iter().find(|span| span.span_id == "execute-1");
    let mut hidden = hidden.unwrap().clone();
    hidden.span_id = "execute-hidden".into();
    hidden.attributes.remove(telemetry::TOOL_CALL_ID);
    trace.spans.push(hidden);
    assert_eq!(judged(&transcript(), &trace, CLUSTER), "failed");
}

#[test]
fn times_at_the_end_of_the_world_are_judged_too() {
    let mut trace = trace();
    for span in trace
        .spans
        .iter_mut()
        .filter(|span| span.span_id == "execute-0")
    {
        (span.start_ns, span.end_ns) = (u64::MAX, u64::MAX);
    }
    assert_eq!(judged(&transcript(), &trace, CLUSTER), "failed");
}

#[test]
fn the_trace_of_another_run_proves_nothing_about_this_one() {
    let mut other = transcript();
    other.trace_id = "f".repeat(32);
    assert_ne!(judged(&other, &trace(), CLUSTER), "passed");
}
