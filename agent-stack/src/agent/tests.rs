//! What the agent makes of models and tools that misbehave.

mod at_once;
mod fakes;
mod model;

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
async fn a_gateway_that_speaks_no_mcp_fails_the_task_with_its_part() {
    let asked = Arc::new(AtomicU32::new(0));
    let bench = Bench::between(Router::new(), Router::new(), HASTY, asked).await;
    assert_eq!(failure(&bench.ask(60).await).0, FailedPart::Gateway);
    bench.stop();
}
