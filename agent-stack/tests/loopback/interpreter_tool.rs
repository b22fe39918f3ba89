//! The tool that runs Python, as the agent gets to know it.

use crate::stack::{Stack, options, plans, start};
use agent_stack::agent::{AgentEvent, CallOutcome};
use agent_stack::all::Options;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Outcome and result of the program under a limit of one second.
async fn ran(code: &str) -> (CallOutcome, Value) {
    let shutdown = CancellationToken::new();
    let mut options = Options {
        model_url: Some(format!("http://{}", start(plans(code), &shutdown).await)),
        ..options()
    };
    let tools = options.fixtures.tools.iter_mut();
    let python = tools.filter(|tool| tool.spec.backend.python.is_some());
    python.for_each(|tool| tool.spec.timeout_seconds = 1);
    let stack = Stack::with(options).await;
    let events = stack.ask("Run it.").await;
    stack.stop().await;
    shutdown.cancel();
    let ended = events.into_iter().find_map(|event| match event {
        AgentEvent::Result {
            outcome, result, ..
        } => Some((outcome, result)),
        _ => None,
    });
    ended.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_takes_too_long_is_told_as_that_with_what_it_had_written() {
    let (outcome, result) = ran("print('begun', flush=True)\nwhile True: pass").await;
    assert_eq!(outcome, CallOutcome::Timeout, "{result}");
    let told = (&result["stdout"], &result["endedBy"]);
    assert_eq!(told, (&json!("begun\n"), &json!("wall_clock")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_fails_by_itself_is_no_timeout() {
    let (outcome, result) = ran("raise SystemExit(3)").await;
    assert_eq!(outcome, CallOutcome::ToolError, "{result}");
    assert_eq!(result["exitCode"], 3);
}
