//! The reference task through every part of the stack, on loopback.

use crate::stack::{Collected, ROOT, Stack, TRACE};
use agent_stack::agent::{AgentEvent, CallOutcome, FailedPart, PlannedStep};
use agent_stack::all::Deviations;
use agent_stack::model::Engine;
use axum::Router;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;
use std::collections::BTreeMap;

const REFERENCE_TASK: &str =
    "What do 3 units of the replacement seal for pump P-100 cost, with 8 % discount?";

/// The tree below `parent`, one line for each span: depth, service, kind, name.
fn tree(spans: &[Collected], parent: &str, depth: usize) -> Vec<String> {
    let mut children: Vec<&Collected> = spans
        .iter()
        .filter(|span| span.parent() == parent)
        .collect();
    children.sort_by_key(|span| span.span.start_time_unix_nano);
    let mut lines = Vec::new();
    for child in children {
        let kind = SpanKind::try_from(child.span.kind)
            .unwrap()
            .as_str_name()
            .trim_start_matches("SPAN_KIND_");
        lines.push(format!(
            "{}{} {} [{}]",
            "  ".repeat(depth),
            child.service,
            child.span.name,
            kind.to_lowercase()
        ));
        lines.extend(tree(spans, &child.id(), depth + 1));
    }
    lines
}

fn answer(events: &[AgentEvent]) -> &str {
    match events.last() {
        Some(AgentEvent::Answer { text, .. }) => text,
        other => panic!("no answer but {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_price_of_what_is_no_item_is_not_made_up_and_not_looked_up() {
    for engine in [Engine::RefPlannerV1, Engine::RefPlannerV2] {
        let stack = Stack::with_engine(engine).await;
        let events = stack
            .ask("What do 2 vibration limits of pump P-100 cost?")
            .await;
        let Some(AgentEvent::Failure {
            message, evidence, ..
        }) = events.last()
        else {
            panic!("no failure: {events:?}");
        };
        assert_eq!(
            message,
            "`lookup_price` cannot be called, because in the result of `search_documents` `/hits/0` has no `sku` \
             (The first item number the document names.)"
        );
        assert_eq!(evidence.len(), 1);
        stack.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reference_task_is_planned_carried_out_and_answered() {
    let stack = Stack::shipped().await;
    let events = stack.ask(REFERENCE_TASK).await;
    stack.stop().await;
    assert_eq!(
        events[0],
        AgentEvent::Tools {
            names: [
                "lookup_price",
                "read_measurements",
                "run_python",
                "search_documents"
            ]
            .map(str::to_owned)
            .to_vec(),
            protocol_version: "2026-07-28".into(),
        }
    );
    let step = |number: u32, tool: &str| PlannedStep {
        call_id: format!("step-{number}"),
        tool: tool.into(),
        waits_for: (1..number)
            .last()
            .map(|last| format!("step-{last}"))
            .into_iter()
            .collect(),
    };
    let steps = vec![
        step(1, "search_documents"),
        step(2, "lookup_price"),
        step(3, "run_python"),
    ];
    assert_eq!(events[1], AgentEvent::Plan { steps });
    let expected = AgentEvent::Call {
        call_id: "step-2".into(),
        tool: "lookup_price".into(),
        arguments: json!({"sku": "SKU-7311"}),
    };
    assert!(events.contains(&expected), "{events:?}");
    assert_eq!(
        answer(&events),
        "3 units of Mechanical shaft seal 35 mm, EPDM (SKU-7311) cost 117.30 EUR: 3 x 42.50 EUR, less 8 % discount."
    );
    assert_proven(&events);
}

/// The answer names its model, its tokens, and every call with one attempt that came to a result.
fn assert_proven(events: &[AgentEvent]) {
    let Some(AgentEvent::Answer {
        model_backend,
        prompt_tokens,
        evidence,
        unsupported_numbers,
        retries,
        ..
    }) = events.last()
    else {
        unreachable!()
    };
    assert_eq!(model_backend, "model-stable");
    assert!(*prompt_tokens > 0);
    assert_eq!((unsupported_numbers.len(), *retries), (0, 0));
    let proven: Vec<_> = evidence
        .iter()
        .map(|call| (call.call_id.as_str(), call.outcome, call.attempts))
        .collect();
    let ok = |id| (id, CallOutcome::Ok, 1);
    assert_eq!(proven, [ok("step-1"), ok("step-2"), ok("step-3")]);
}

const ERRAND: &str = "What do 2 shaft seals for pump P-100, 4 bearings for pump P-100 and 1 SKU-9004 cost together, with 5 % discount?";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_version_of_the_planner_lets_calls_run_side_by_side_below_one_agent() {
    let stack = Stack::with_engine(Engine::RefPlannerV2).await;
    let events = stack.ask(ERRAND).await;
    let spans = stack.stop().await;
    assert!(
        answer(&events).starts_with("Together they cost 155.99 EUR"),
        "{events:?}"
    );
    assert!(
        answer(&events).contains("Sources: p100-shaft-seal.txt (search_documents)"),
        "{events:?}"
    );
    let results_before_the_last_independent_call = events
        .iter()
        .take_while(
            |event| !matches!(event, AgentEvent::Call { call_id, .. } if call_id == "step-5"),
        )
        .filter(|event| matches!(event, AgentEvent::Result { .. }))
        .count();
    assert_eq!(results_before_the_last_independent_call, 0, "{events:?}");
    let agent = spans.iter().find(|span| span.parent() == ROOT).unwrap();
    let calls: Vec<_> = spans
        .iter()
        .filter(|span| span.span.name.starts_with("execute_tool"))
        .collect();
    assert_eq!(calls.len(), 6);
    assert!(calls.iter().all(|call| call.parent() == agent.id()));
    assert_eq!(tree(&spans, ROOT, 0).len(), spans.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_spans_of_a_task_form_one_tree_across_all_parts() {
    let stack = Stack::shipped().await;
    stack.ask(REFERENCE_TASK).await;
    let spans = stack.stop().await;
    assert!(spans.iter().all(|span| span.trace() == TRACE), "{spans:?}");
    let lines = tree(&spans, ROOT, 0);
    assert_eq!(lines.len(), spans.len(), "a span is outside the tree");
    insta::assert_snapshot!(lines.join("\n"), @"
    agent invoke_agent portproof-agent [internal]
      agent plan portproof-agent [internal]
        agent chat portproof-planner [client]
          model-stable POST /v1/chat/completions [server]
      agent execute_tool search_documents [internal]
        agent tools/call search_documents [client]
          tool-gateway tools/call search_documents [server]
      agent execute_tool lookup_price [internal]
        agent tools/call lookup_price [client]
          tool-gateway tools/call lookup_price [server]
            tool-gateway GET /v1/items/{sku} [client]
      agent execute_tool run_python [internal]
        agent tools/call run_python [client]
          tool-gateway tools/call run_python [server]
            tool-gateway POST /v1/execute [client]
              interpreter run_code python [server]
      agent chat portproof-planner [client]
        model-stable POST /v1/chat/completions [server]
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_call_has_the_same_digests_and_request_id_on_both_sides() {
    let stack = Stack::shipped().await;
    stack.ask(REFERENCE_TASK).await;
    let spans = stack.stop().await;
    let by_id: BTreeMap<String, &Collected> = spans.iter().map(|span| (span.id(), span)).collect();
    let served: Vec<_> = spans
        .iter()
        .filter(|span| span.service == "tool-gateway" && span.span.name.starts_with("tools/call"))
        .collect();
    assert_eq!(served.len(), 3);
    for server in served {
        let client = by_id[&server.parent()];
        let execute = by_id[&client.parent()];
        assert!(server.text("jsonrpc.request.id").is_some());
        assert_eq!(
            server.text("jsonrpc.request.id"),
            client.text("jsonrpc.request.id")
        );
        for digest in ["portproof.tool.args.sha256", "portproof.tool.result.sha256"] {
            assert!(server.text(digest).unwrap().starts_with("sha256:"));
            assert_eq!(
                server.text(digest),
                execute.text(digest),
                "{digest} of {}",
                server.span.name
            );
        }
        assert_eq!(
            server.text("mcp.protocol.version").as_deref(),
            Some("2026-07-28")
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_drops_the_trace_context_breaks_the_tree_and_not_the_answer() {
    let stack = Stack::deviating(Deviations {
        drop_trace_context: true,
        ..Deviations::default()
    })
    .await;
    let events = stack.ask(REFERENCE_TASK).await;
    let spans = stack.stop().await;
    assert!(answer(&events).contains("117.30 EUR"));
    let strays: Vec<_> = spans.iter().filter(|span| span.trace() != TRACE).collect();
    assert!(
        strays
            .iter()
            .any(|span| span.span.name == "tools/call run_python"),
        "{strays:?}"
    );
    assert!(
        strays.iter().any(|span| span.service == "interpreter"),
        "{strays:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hidden_tool_makes_the_task_fail_with_what_is_missing() {
    let hidden = ["lookup_price".to_owned()].into();
    let stack = Stack::deviating(Deviations {
        hidden,
        ..Deviations::default()
    })
    .await;
    let events = stack.ask(REFERENCE_TASK).await;
    stack.stop().await;
    let Some(AgentEvent::Failure { part, message, .. }) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!(*part, FailedPart::Model);
    assert!(message.contains("tells the price"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_catalog_changes_the_answer() {
    let stack = Stack::deviating(Deviations {
        changed_catalog: true,
        ..Deviations::default()
    })
    .await;
    let events = stack.ask(REFERENCE_TASK).await;
    stack.stop().await;
    assert!(
        answer(&events).contains("cost 120.06 EUR: 3 x 43.50 EUR"),
        "{events:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_that_fails_ends_the_task_and_marks_its_spans() {
    let stack = Stack::shipped().await;
    let events = stack.ask("What is the price of SKU-0000?").await;
    let spans = stack.stop().await;
    let Some(AgentEvent::Failure {
        part,
        message,
        outcome,
        evidence,
        ..
    }) = events.last()
    else {
        panic!("{events:?}")
    };
    assert_eq!(
        (*part, *outcome),
        (FailedPart::Tool, Some(CallOutcome::ToolError))
    );
    assert_eq!((evidence.len(), evidence[0].attempts), (1, 1));
    assert!(message.contains("404"), "{message}");
    let failed = |span: &&Collected| span.text("error.type").is_some();
    let names: Vec<_> = spans
        .iter()
        .filter(failed)
        .map(|span| span.span.name.as_str())
        .collect();
    assert!(
        names.contains(&"tools/call lookup_price") && names.contains(&"execute_tool lookup_price"),
        "{names:?}"
    );
    assert!(spans.iter().filter(failed).all(|span| {
        span.span
            .status
            .as_ref()
            .is_some_and(|status| status.code == 2)
    }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_without_money_is_answered_from_the_manuals() {
    let stack = Stack::shipped().await;
    let events = stack
        .ask("Which grease is in the bearings of pump P-100?")
        .await;
    stack.stop().await;
    assert!(answer(&events).contains("lithium grease"), "{events:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_is_not_done_in_time_fails_and_so_does_its_span() {
    let silent = Router::new().fallback(std::future::pending::<()>);
    let stack = Stack::with_model(silent).await;
    let events = stack.ask_within(REFERENCE_TASK, 1).await;
    let spans = stack.stop().await;
    let Some(AgentEvent::Failure { part, message, .. }) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (*part, message.as_str()),
        (FailedPart::Agent, "the task was not done within 1 s")
    );
    let root = spans.iter().find(|span| span.parent() == ROOT).unwrap();
    assert_eq!(root.text("error.type").as_deref(), Some("agent"));
}
