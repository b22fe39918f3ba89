use crate::verify::evidence::{TaskTranscript, TraceEvidence};
use crate::verify::traces::fixture::{CLUSTER, trace, transcript};
use crate::verify::traces::{TracedTask, plan_to_tool};
use portproof_proto::names::Part;
use portproof_proto::telemetry;

fn judged(transcript: &TaskTranscript, trace: &TraceEvidence, cluster: &str) -> &'static str {
    plan_to_tool(&[TracedTask { transcript, trace }], cluster)
        .verdict
        .word()
}

/// Why nothing can be said of this trace.
fn undecided(trace: &TraceEvidence) -> String {
    let transcript = &transcript();
    let verdict = plan_to_tool(&[TracedTask { transcript, trace }], CLUSTER).verdict;
    assert_eq!(verdict.word(), "inconclusive");
    verdict.reason().unwrap_or_default().to_owned()
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

/// The trace without the spans of `part`, which was heard elsewhere or not.
fn without(part: Part, heard: bool) -> TraceEvidence {
    let mut trace = trace();
    trace
        .spans
        .retain(|span| span.resource_text(telemetry::SERVICE_NAME) != Some(part.name()));
    if !heard {
        trace.heard.remove(part.name());
    }
    TraceEvidence {
        timed_out: true,
        ..trace
    }
}

#[test]
fn a_part_that_was_never_heard_may_not_be_able_to_send_spans() {
    for part in [Part::Agent, Part::ToolGateway, Part::Interpreter] {
        let (silent, heard) = (without(part, false), without(part, true));
        assert_eq!(
            judged(&transcript(), &silent, CLUSTER),
            "inconclusive",
            "{part:?}"
        );
        // It sends spans, and none of this request: the context was dropped on the way to it.
        assert_eq!(judged(&transcript(), &heard, CLUSTER), "failed", "{part:?}");
    }
}

#[test]
fn a_part_that_was_never_heard_does_not_excuse_another() {
    let mut trace = without(Part::Interpreter, false);
    trace.spans.retain(|span| span.span_id != "server-0");
    assert_eq!(judged(&transcript(), &trace, CLUSTER), "failed");
}

#[test]
fn a_process_that_ended_may_have_taken_its_spans_with_it_and_excuses_no_other() {
    let mut trace = without(Part::Interpreter, true);
    trace.restarted.insert(Part::Interpreter.name().to_owned());
    let why = undecided(&trace);
    assert!(why.starts_with("a process of interpreter ended"), "{why}");
    trace.restarted = [Part::Agent.name().to_owned()].into();
    assert_eq!(judged(&transcript(), &trace, CLUSTER), "failed");
    // Every span goes through the control agent.
    trace.restarted = [Part::Control.name().to_owned()].into();
    assert_eq!(judged(&transcript(), &trace, CLUSTER), "inconclusive");
}

#[test]
fn a_relay_that_broke_off_may_have_lost_what_is_missing() {
    let mut trace = trace();
    trace.interrupted = true;
    assert_eq!(judged(&transcript(), &trace, CLUSTER), "passed");
    trace.spans.retain(|span| span.span_id != "server-1");
    let why = undecided(&trace);
    assert!(why.starts_with("the relay of spans broke off"), "{why}");
    let orphan = trace.spans.iter_mut().find(|it| it.span_id == "plan");
    orphan.unwrap().parent_span_id.clear();
    assert_eq!(judged(&transcript(), &trace, CLUSTER), "failed");
}

#[test]
fn arguments_that_have_no_digest_are_not_known_to_differ() {
    let mut odd = transcript();
    odd.calls[0].arguments = serde_json::json!({"sku": u64::MAX});
    odd.calls[0].outcome = None;
    assert_eq!(judged(&odd, &trace(), CLUSTER), "inconclusive");
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
fn a_clock_that_was_set_back_a_little_is_no_tool_before_its_plan() {
    for (step_ns, word) in [(4_000_000, "passed"), (6_000_000, "failed")] {
        let mut trace = trace();
        let chat = trace.spans.iter().find(|span| span.span_id == "chat1");
        let planned = chat.unwrap().end_ns;
        for span in trace
            .spans
            .iter_mut()
            .filter(|span| span.span_id == "execute-0")
        {
            span.start_ns = planned - step_ns;
        }
        assert_eq!(judged(&transcript(), &trace, CLUSTER), word, "{step_ns}");
    }
}

#[test]
fn the_trace_of_another_run_proves_nothing_about_this_one() {
    let mut other = transcript();
    other.trace_id = "f".repeat(32);
    assert_ne!(judged(&other, &trace(), CLUSTER), "passed");
}
