use super::super::fixture::{CLUSTER, ROOT, trace, transcript};
use super::*;
use portproof_proto::telemetry;

mod calls;

fn judged(transcript: &TaskTranscript, trace: &TraceEvidence) -> (&'static str, String) {
    let verdict = plan_to_tool(&[TracedTask { transcript, trace }], CLUSTER).verdict;
    (
        verdict.word(),
        verdict.reason().unwrap_or_default().to_owned(),
    )
}

fn mutated(id: &str, change: impl FnOnce(&mut Span)) -> (&'static str, String) {
    let mut trace = trace();
    change(
        trace
            .spans
            .iter_mut()
            .find(|span| span.span_id == id)
            .unwrap(),
    );
    judged(&transcript(), &trace)
}

fn assert_fails(verdict: (&'static str, String), expected: &str) {
    let (word, why) = verdict;
    assert_eq!(word, "failed", "{expected}");
    assert!(why.contains(expected), "`{why}` does not say `{expected}`");
}

#[test]
fn a_complete_trace_passes() {
    let (transcript, trace) = (transcript(), trace());
    let result = plan_to_tool(
        &[TracedTask {
            transcript: &transcript,
            trace: &trace,
        }],
        CLUSTER,
    );
    assert_eq!(result.verdict, Verdict::Passed, "{result:#?}");
    let rows = result.evidence["tasks"][0]["spans"].as_array().unwrap();
    assert_eq!(rows.len(), trace.spans.len());
    assert_eq!(
        (rows[0]["depth"].as_u64(), rows[3]["name"].as_str()),
        (Some(0), Some("POST /v1/chat"))
    );
}

/// Spans without which the claim cannot be seen. The model's own server span and the second model request are no part of
/// it: a foreign model server may not be instrumented.
const NEEDED: [&str; 9] = [
    "agent",
    "plan",
    "chat1",
    "execute-0",
    "client-0",
    "server-0",
    "execute-1",
    "client-1",
    "server-1",
];

#[test]
fn each_needed_span_that_is_dropped_is_noticed() {
    for id in NEEDED.into_iter().chain(["code", "code-client"]) {
        let mut trace = trace();
        trace.spans.retain(|span| span.span_id != id);
        assert_eq!(judged(&transcript(), &trace).0, "failed", "without {id}");
        trace.timed_out = true;
        assert_eq!(
            judged(&transcript(), &trace).0,
            "failed",
            "without {id}, after the deadline"
        );
        trace.lost_batches = 1;
        assert_eq!(
            judged(&transcript(), &trace).0,
            "inconclusive",
            "without {id}, with a lost batch"
        );
    }
}

#[test]
fn waiting_ends_with_the_last_needed_span_and_not_before() {
    assert!(is_complete(&transcript(), &trace().spans, CLUSTER));
    for id in NEEDED.into_iter().chain(["code", "code-client"]) {
        let mut spans = trace().spans;
        spans.retain(|span| span.span_id != id);
        assert!(!is_complete(&transcript(), &spans, CLUSTER), "without {id}");
    }
}

#[test]
fn a_lost_batch_changes_nothing_when_the_tree_is_complete() {
    let trace = TraceEvidence {
        lost_batches: 2,
        timed_out: true,
        ..trace()
    };
    assert_eq!(judged(&transcript(), &trace).0, "passed");
}

#[test]
fn each_span_in_another_trace_is_noticed() {
    for index in 0..trace().spans.len() {
        let mut trace = trace();
        trace.spans[index].trace_id = "f".repeat(32);
        assert_fails(judged(&transcript(), &trace), "T05 ");
    }
}

#[test]
fn each_span_that_forgot_its_parent_is_a_second_root() {
    for index in 0..trace().spans.len() {
        let mut trace = trace();
        trace.spans[index].parent_span_id.clear();
        assert_fails(judged(&transcript(), &trace), "T02 ");
    }
}

#[test]
fn each_span_with_an_unknown_parent_is_an_orphan() {
    for index in 0..trace().spans.len() {
        let mut trace = trace();
        trace.spans[index].parent_span_id = "dead".into();
        let (word, why) = judged(&transcript(), &trace);
        assert_eq!(word, "failed");
        assert!(why.contains("T03 ") || why.contains("T01 "), "{why}");
        trace.lost_batches = 1;
        assert_eq!(judged(&transcript(), &trace).0, "inconclusive");
    }
}

#[test]
fn servers_that_hang_under_the_wrong_span_are_noticed_even_with_losses() {
    for (id, parent) in [
        ("server-0", "execute-0"),
        ("server-0", "agent"),
        ("server-1", "server-0"),
        ("code", "server-1"),
    ] {
        let mut trace = TraceEvidence {
            lost_batches: 1,
            ..trace()
        };
        trace
            .spans
            .iter_mut()
            .find(|span| span.span_id == id)
            .unwrap()
            .parent_span_id = parent.into();
        assert_fails(judged(&transcript(), &trace), "T07 ");
    }
}

#[test]
fn servers_that_hang_under_another_call_are_noticed() {
    assert_fails(
        mutated("server-0", |span| span.parent_span_id = "client-1".into()),
        "T11 `tools/call lookup_price` of tool-gateway says gen_ai.tool.name = lookup_price, the call was run_python",
    );
    assert_fails(
        mutated("code-client", |span| {
            span.parent_span_id = "server-0".into();
        }),
        "no `run_code` SERVER span",
    );
}

#[test]
fn a_tool_call_outside_the_agents_work_is_noticed() {
    assert_fails(
        mutated("execute-0", |span| span.parent_span_id = ROOT.into()),
        "T09 `execute_tool lookup_price` does not stand under",
    );
    assert_fails(
        mutated("plan", |span| span.parent_span_id = ROOT.into()),
        "T09 no `plan` span",
    );
    assert_fails(
        mutated("chat1", |span| span.parent_span_id = "agent".into()),
        "T09 no `chat` CLIENT span",
    );
}

#[test]
fn both_ends_in_one_process_are_no_two_processes() {
    let server = mutated("server-0", |span| {
        span.resource
            .insert(telemetry::SERVICE_NAME.into(), json!("agent"));
    });
    assert_fails(server, "T07 ");
    let code = mutated("code", |span| {
        span.resource
            .insert(telemetry::SERVICE_NAME.into(), json!("tool-gateway"));
    });
    assert_fails(code, "T07 ");
}

#[test]
fn a_span_of_another_cluster_is_noticed() {
    for index in 0..trace().spans.len() {
        let mut other = trace();
        other.spans[index]
            .resource
            .insert(telemetry::CLUSTER_UID.into(), json!("another"));
        assert_fails(judged(&transcript(), &other), "T06 ");
        let mut silent = trace();
        silent.spans[index].resource.remove(telemetry::CLUSTER_UID);
        assert_fails(judged(&transcript(), &silent), "T06 ");
    }
}

#[test]
fn an_id_used_twice_is_noticed_and_a_span_sent_twice_is_not() {
    let mut doubled = trace();
    doubled.spans.push(doubled.spans[3].clone());
    assert_eq!(judged(&transcript(), &doubled).0, "passed");
    doubled.spans.last_mut().unwrap().name.push('!');
    assert_fails(
        judged(&transcript(), &doubled),
        "T04 different spans share the id model",
    );
}

#[test]
fn a_circle_of_parents_is_noticed() {
    let mut circle = trace();
    for (id, parent) in [("client-0", "server-0"), ("execute-0", "client-0")] {
        circle
            .spans
            .iter_mut()
            .find(|span| span.span_id == id)
            .unwrap()
            .parent_span_id = parent.into();
    }
    assert_fails(judged(&transcript(), &circle), "T04 ");
    assert_fails(
        mutated("agent", |span| span.parent_span_id = "agent".into()),
        "T04 ",
    );
}

#[test]
fn a_tool_that_ran_before_its_plan_is_noticed() {
    let early = mutated("execute-0", |span| span.start_ns -= 250_000_000);
    assert_fails(
        early,
        "T09 `execute_tool lookup_price` began before the plan was made",
    );
}

#[test]
fn an_agent_that_ended_before_its_tool_did_is_noticed() {
    let mut abandoned = trace();
    abandoned.spans.retain(|span| span.span_id != "chat2");
    abandoned.spans[0].end_ns -= 400_000_000;
    assert_fails(
        judged(&transcript(), &abandoned),
        "T09 nothing of the agent came after",
    );
}

#[test]
fn impossible_times_are_noticed() {
    assert_fails(
        mutated("model", |span| span.end_ns = span.start_ns - 1),
        "T14 ",
    );
    assert_fails(mutated("plan", |span| span.start_ns -= 100_000_000), "T14 ");
}

#[test]
fn without_tool_calls_or_without_code_there_is_no_chain_to_follow() {
    let idle = TaskTranscript {
        calls: Vec::new(),
        ..transcript()
    };
    assert_eq!(judged(&idle, &trace()).0, "inconclusive");
    let mut short = transcript();
    short.calls.pop();
    assert_eq!(judged(&short, &trace()).0, "inconclusive");
    assert_eq!(plan_to_tool(&[], CLUSTER).verdict.word(), "inconclusive");
}

#[test]
fn one_bad_trace_among_good_ones_fails_and_is_named() {
    let (good, trace_of_good) = (transcript(), trace());
    let mut other = transcript();
    other.task_id = "second".into();
    let mut broken = trace();
    broken.spans.retain(|span| span.span_id != "server-0");
    let tasks = [
        TracedTask {
            transcript: &good,
            trace: &trace_of_good,
        },
        TracedTask {
            transcript: &other,
            trace: &broken,
        },
    ];
    let verdict = plan_to_tool(&tasks, CLUSTER).verdict;
    assert!(
        verdict.reason().unwrap().contains("(task `second`)"),
        "{verdict:?}"
    );
    assert_eq!(verdict.word(), "failed");
}
