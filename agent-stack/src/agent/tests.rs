//! What the agent makes of models and tools that misbehave.

mod fakes;

use super::event::{AgentEvent, CallEvidence, CallOutcome, FailedPart};
use super::retry::RetryPolicy;
use super::steps::MAX_AT_ONCE;
use axum::Router;
use axum::http::StatusCode;
use fakes::{Behaviour, Bench, Counter, HASTY, Script, Setup, behaves, plan, says};
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::trace::v1::Span;
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Barrier, mpsc};

fn two_steps() -> Script {
    vec![
        plan(&json!([{"id": "a", "tool": "count"}, {"id": "b", "tool": "shout", "after": ["a"]}])),
        says("done"),
    ]
}

fn counts() -> Behaviour {
    behaves(|_| async { CallToolResult::structured(json!({"n": 7})) })
}

fn setup(script: Script, behaviour: Behaviour) -> Setup {
    Setup {
        script,
        behaviour,
        refusals: 0,
        policy: HASTY,
    }
}

async fn asked(setup: Setup) -> (Vec<AgentEvent>, Vec<Span>) {
    let bench = Bench::start(setup).await;
    let events = bench.ask(60).await;
    (events, bench.stop())
}

/// Part, outcome, evidence and retries of a failure.
fn failure(events: &[AgentEvent]) -> (FailedPart, Option<CallOutcome>, &[CallEvidence], &str) {
    match events.last() {
        Some(AgentEvent::Failure {
            part,
            outcome,
            evidence,
            message,
            ..
        }) => (*part, *outcome, evidence, message),
        other => panic!("no failure but {other:?}"),
    }
}

fn outcomes(evidence: &[CallEvidence]) -> Vec<(&str, CallOutcome, u32)> {
    evidence
        .iter()
        .map(|call| (call.call_id.as_str(), call.outcome, call.attempts))
        .collect()
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let found = span
        .attributes
        .iter()
        .find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text.clone()),
        any_value::Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Attempt and class of error of each span of that name, in their order.
fn attempts(spans: &[Span], name: &str) -> Vec<(String, Option<String>)> {
    let mut found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    found.sort_by_key(|span| span.start_time_unix_nano);
    found
        .into_iter()
        .map(|span| {
            let number = attribute(span, "portproof.call.attempt").unwrap_or_default();
            (number, attribute(span, "error.type"))
        })
        .collect()
}

#[tokio::test]
async fn a_result_that_breaks_the_tools_promise_is_an_invalid_result_even_if_the_gateway_lets_it_pass()
 {
    for wrong in [
        CallToolResult::structured(json!({"n": "seven"})),
        CallToolResult::success(vec![ContentBlock::text("7")]),
    ] {
        let (events, spans) = asked(setup(
            two_steps(),
            behaves(move |_| std::future::ready(wrong.clone())),
        ))
        .await;
        let (part, outcome, evidence, message) = failure(&events);
        assert_eq!(
            (part, outcome),
            (FailedPart::Tool, Some(CallOutcome::InvalidResult))
        );
        assert_eq!(outcomes(evidence), [("a", CallOutcome::InvalidResult, 1)]);
        assert!(
            message.contains("returned what it does not promise"),
            "{message}"
        );
        let execute = spans
            .iter()
            .find(|span| span.name == "execute_tool count")
            .unwrap();
        assert_eq!(
            attribute(execute, "error.type").as_deref(),
            Some("invalid_result")
        );
    }
}

#[tokio::test]
async fn a_tool_that_says_it_failed_is_not_asked_again() {
    let counter = Counter::default();
    let seen = counter.clone();
    let behaviour = behaves(move |tool| {
        seen.add(&tool);
        async { CallToolResult::error(vec![ContentBlock::text("out of paper")]) }
    });
    let (events, _) = asked(setup(two_steps(), behaviour)).await;
    let (part, outcome, evidence, message) = failure(&events);
    assert_eq!(
        (part, outcome),
        (FailedPart::Tool, Some(CallOutcome::ToolError))
    );
    assert_eq!(outcomes(evidence), [("a", CallOutcome::ToolError, 1)]);
    assert_eq!((counter.of("count"), counter.of("shout")), (1, 0));
    assert!(message.contains("out of paper"), "{message}");
}

#[tokio::test]
async fn a_tool_that_does_not_answer_in_time_is_a_timeout_after_bounded_attempts() {
    let counter = Counter::default();
    let seen = counter.clone();
    let behaviour = behaves(move |tool| {
        seen.add(&tool);
        std::future::pending()
    });
    let policy = RetryPolicy {
        attempts: 2,
        limit: Duration::from_millis(200),
        ..HASTY
    };
    let (events, spans) = asked(Setup {
        policy,
        ..setup(two_steps(), behaviour)
    })
    .await;
    let (part, outcome, evidence, _) = failure(&events);
    assert_eq!(
        (part, outcome),
        (FailedPart::Tool, Some(CallOutcome::Timeout))
    );
    assert_eq!(outcomes(evidence), [("a", CallOutcome::Timeout, 2)]);
    assert_eq!(evidence[0].result_sha256, None);
    assert_eq!(counter.of("count"), 2);
    let late = || Some("timeout".to_owned());
    assert_eq!(
        attempts(&spans, "tools/call count"),
        [("1".into(), late()), ("2".into(), late())]
    );
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_and_each_attempt_has_its_span() {
    let (events, spans) = asked(Setup {
        refusals: 2,
        ..setup(two_steps(), counts())
    })
    .await;
    let Some(AgentEvent::Answer {
        evidence, retries, ..
    }) = events.last()
    else {
        panic!("{events:?}")
    };
    assert_eq!(
        outcomes(evidence),
        [("a", CallOutcome::Ok, 3), ("b", CallOutcome::Ok, 1)]
    );
    assert_eq!(*retries, 2);
    let lost = || Some("transport".to_owned());
    assert_eq!(
        attempts(&spans, "tools/call count"),
        [
            ("1".into(), lost()),
            ("2".into(), lost()),
            ("3".into(), None)
        ]
    );
    let execute = spans
        .iter()
        .find(|span| span.name == "execute_tool count")
        .unwrap();
    assert_eq!(attribute(execute, "error.type"), None);
    let clients = spans.iter().filter(|span| span.name == "tools/call count");
    assert!(
        clients
            .into_iter()
            .all(|client| client.parent_span_id == execute.span_id)
    );
}

#[tokio::test]
async fn a_gateway_that_is_away_is_a_transport_failure_after_bounded_attempts() {
    let (events, _) = asked(Setup {
        refusals: u32::MAX,
        ..setup(two_steps(), counts())
    })
    .await;
    let (part, outcome, evidence, _) = failure(&events);
    assert_eq!(
        (part, outcome),
        (FailedPart::Gateway, Some(CallOutcome::Transport))
    );
    assert_eq!(outcomes(evidence), [("a", CallOutcome::Transport, 3)]);
}

#[tokio::test]
async fn a_model_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let mut busy = two_steps();
    busy.insert(0, (StatusCode::TOO_MANY_REQUESTS, String::new()));
    busy.insert(1, (StatusCode::BAD_GATEWAY, String::new()));
    let bench = Bench::start(setup(busy, counts())).await;
    let events = bench.ask(60).await;
    assert!(
        matches!(events.last(), Some(AgentEvent::Answer { retries: 2, .. })),
        "{events:?}"
    );
    assert_eq!(bench.asked(), 4);
    let spans = bench.stop();
    let status = |code: &str| Some(code.to_owned());
    assert_eq!(
        attempts(&spans, "chat m"),
        [
            ("1".into(), status("429")),
            ("2".into(), status("502")),
            ("3".into(), None),
            ("1".into(), None)
        ]
    );

    let refuses = vec![(StatusCode::BAD_REQUEST, String::new())];
    let bench = Bench::start(setup(refuses, counts())).await;
    let events = bench.ask(60).await;
    assert_eq!(failure(&events).0, FailedPart::Model);
    assert_eq!(bench.asked(), 1);
    bench.stop();
}

#[tokio::test]
async fn what_a_model_makes_up_is_no_evidence_and_its_numbers_are_named() {
    let mut script = two_steps();
    script[1] = says("The tool `weigh` says 12.5 kg, and count says 7 (sha256:ffff).");
    let (events, _) = asked(setup(script, counts())).await;
    let Some(AgentEvent::Answer {
        evidence,
        unsupported_numbers,
        ..
    }) = events.last()
    else {
        panic!("{events:?}")
    };
    let tools: Vec<_> = evidence.iter().map(|call| call.tool.as_str()).collect();
    assert_eq!(tools, ["count", "shout"]);
    let returned = portproof_proto::canonical::digest(&json!({"n": 7})).unwrap();
    assert_eq!(
        evidence[0].result_sha256.as_deref(),
        Some(returned.as_str())
    );
    assert_eq!(*unsupported_numbers, ["12.5"]);
}

#[tokio::test]
async fn a_plan_that_builds_on_a_result_that_is_not_there_fails() {
    let reference = |from: &str, pointer: &str| json!({"x": {"from": from, "pointer": pointer}});
    let step =
        |id: &str, arguments: Value| json!({"id": id, "tool": "count", "arguments": arguments});
    let counter = Counter::default();
    for (steps, calls, part, expected) in [
        (
            json!([step("a", reference("z", ""))]),
            0,
            FailedPart::Model,
            "`z`, which is not an earlier step",
        ),
        (
            json!([step("a", reference("a", ""))]),
            0,
            FailedPart::Model,
            "`a`, which is not an earlier step",
        ),
        (
            json!([step("a", json!({})), step("b", reference("a", "/m"))]),
            1,
            FailedPart::Agent,
            "`count` cannot be called, because in the result of `count` there is no `m`",
        ),
        (
            json!([{"id": "a", "tool": "weigh"}]),
            0,
            FailedPart::Model,
            "`weigh`, which was not offered",
        ),
    ] {
        let counter = counter.clone();
        let before = counter.of("count");
        let seen = counter.clone();
        let behaviour = behaves(move |tool| {
            seen.add(&tool);
            async { CallToolResult::structured(json!({"n": 7})) }
        });
        let (events, _) = asked(setup(vec![plan(&steps), says("It is 7.")], behaviour)).await;
        let (failed, _, evidence, message) = failure(&events);
        assert_eq!(failed, part);
        assert!(message.contains(expected), "{message}");
        assert_eq!(
            (counter.of("count") - before, evidence.len()),
            (calls, calls as usize)
        );
    }
}

fn many(count: usize) -> Script {
    let steps: Vec<_> = (0..count)
        .map(|number| json!({"id": format!("s{number}"), "tool": "count"}))
        .collect();
    vec![plan(&json!(steps)), says("done")]
}

#[tokio::test]
async fn independent_steps_are_under_way_at_once() {
    let barrier = Arc::new(Barrier::new(MAX_AT_ONCE));
    let behaviour = behaves(move |_| {
        let barrier = Arc::clone(&barrier);
        async move {
            // Nobody passes before all have come.
            barrier.wait().await;
            CallToolResult::structured(json!({"n": 7}))
        }
    });
    let (events, _) = asked(setup(many(MAX_AT_ONCE), behaviour)).await;
    let calls: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            AgentEvent::Call { call_id, .. } => Some(call_id.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(calls, ["s0", "s1", "s2", "s3"]);
    let Some(AgentEvent::Answer { evidence, .. }) = events.last() else {
        panic!("{events:?}")
    };
    let proven: Vec<_> = evidence.iter().map(|call| call.call_id.as_str()).collect();
    assert_eq!(proven, calls);
}

#[tokio::test]
async fn no_more_steps_are_under_way_than_the_bound_allows() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let behaviour = behaves(move |_| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            CallToolResult::structured(json!({"n": 7}))
        }
    });
    let (events, _) = asked(setup(many(12), behaviour)).await;
    assert!(
        matches!(events.last(), Some(AgentEvent::Answer { .. })),
        "{events:?}"
    );
    assert!(seen.load(Ordering::SeqCst) <= MAX_AT_ONCE);
}

#[tokio::test]
async fn a_call_under_way_at_the_deadline_is_told_as_a_timeout() {
    let bench = Bench::start(setup(two_steps(), behaves(|_| std::future::pending()))).await;
    let events = bench.ask(1).await;
    let (part, _, evidence, message) = failure(&events);
    assert_eq!(
        (part, message),
        (FailedPart::Agent, "the task was not done within 1 s")
    );
    assert_eq!(outcomes(evidence), [("a", CallOutcome::Timeout, 1)]);
    let result = events
        .iter()
        .find(|event| matches!(event, AgentEvent::Result { .. }));
    assert!(matches!(
        result,
        Some(AgentEvent::Result {
            outcome: CallOutcome::Timeout,
            ..
        })
    ));
    let spans = bench.stop();
    let execute = spans
        .iter()
        .find(|span| span.name == "execute_tool count")
        .unwrap();
    assert_eq!(attribute(execute, "error.type").as_deref(), Some("timeout"));
}

/// Tells when the request it belongs to is dropped.
struct Dropped(mpsc::UnboundedSender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_work() {
    let (sender, mut dropped) = mpsc::unbounded_channel();
    let (reached, mut reports) = mpsc::unbounded_channel();
    let model = Router::new().fallback(move || async move {
        let guard = Dropped(sender);
        let _ = reached.send(());
        std::future::pending::<()>().await;
        drop(guard);
    });
    let asked = Arc::new(AtomicU32::new(0));
    let bench = Bench::between(model, fakes::gateway(counts(), 0), HASTY, asked).await;
    let answer = bench.post(60).await;
    reports.recv().await.unwrap();
    drop(answer);
    let gone = tokio::time::timeout(Duration::from_secs(30), dropped.recv()).await;
    assert_eq!(gone, Ok(Some(())));
    bench.stop();
}

#[tokio::test]
async fn a_gateway_that_speaks_no_mcp_fails_the_task_with_its_part() {
    let asked = Arc::new(AtomicU32::new(0));
    let bench = Bench::between(Router::new(), Router::new(), HASTY, asked).await;
    assert_eq!(failure(&bench.ask(60).await).0, FailedPart::Gateway);
    bench.stop();
}

/// A model that answers every request like this.
fn model_that_says(message: Value) -> Router {
    let completion = json!({"id": "c", "object": "chat.completion", "created": 0, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}});
    let answer = move || std::future::ready(axum::Json(completion.clone()));
    Router::new().route("/v1/chat/completions", axum::routing::post(answer))
}

#[tokio::test]
async fn a_model_that_refuses_is_told_in_its_words_and_not_as_one_without_an_answer() {
    let long = "I will not do that.\n".repeat(1_000);
    for (message, told) in [
        (
            json!({"role": "assistant", "content": null, "refusal": long}),
            "the model refused: \"I will not do that. I will",
        ),
        (
            json!({"role": "assistant", "content": " "}),
            "the model gave no answer",
        ),
    ] {
        let gateway = fakes::gateway(counts(), 0);
        let asked = Arc::new(AtomicU32::new(0));
        let bench = Bench::between(model_that_says(message), gateway, HASTY, asked).await;
        let events = bench.ask(60).await;
        let (part, outcome, evidence, message) = failure(&events);
        assert_eq!((part, outcome), (FailedPart::Model, None));
        assert!(evidence.is_empty());
        assert!(message.starts_with(told), "{message}");
        assert!(message.chars().count() < 400, "{message}");
    }
}
