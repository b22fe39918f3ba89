//! What the roles of the one process count.

use crate::stack::{Stack, plans};
use agent_stack::agent::AgentEvent;
use std::time::Duration;

/// A task that takes every role.
const TASK: &str =
    "What do 3 units of the replacement seal for pump P-100 cost, with 8 % discount?";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_of_the_one_process_shows_what_it_counts_itself() {
    let stack = Stack::shipped().await;
    stack.ask(TASK).await;
    let addresses = stack.addresses();
    for (role, counted) in [
        (
            addresses.model,
            "vllm:e2e_request_latency_seconds_count{model_name=\"model-stable\"} ",
        ),
        (
            addresses.gateway,
            "mcp_server_operation_duration_seconds_count{gen_ai_tool_name=\"lookup_price\"",
        ),
        (
            addresses.agent,
            "gen_ai_invoke_agent_duration_seconds_count{gen_ai_agent_name=",
        ),
        (
            addresses.interpreter,
            "portproof_interpreter_runs_total{reason=\"exited\"} ",
        ),
    ] {
        let page = reqwest::get(format!("http://{role}/metrics"))
            .await
            .unwrap();
        let text = page.text().await.unwrap();
        let line = text.lines().find(|line| line.starts_with(counted));
        assert!(
            line.is_some_and(|line| !line.ends_with(" 0")),
            "{counted} is not in\n{text}"
        );
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_whose_task_is_over_is_ended_and_counted_as_cancelled() {
    let stack = Stack::with_model(plans("import time; time.sleep(600)")).await;
    let events = stack.ask_within("Wait.", 2).await;
    assert!(
        matches!(events.last(), Some(AgentEvent::Failure { .. })),
        "{events:?}"
    );
    let url = format!("http://{}/metrics", stack.addresses().interpreter);
    let counted = "portproof_interpreter_runs_total{reason=\"cancelled\"} 1";
    let ended = async {
        while !reqwest::get(&url)
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains(counted)
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // Its own limit would end it later.
    assert!(
        tokio::time::timeout(Duration::from_secs(8), ended)
            .await
            .is_ok()
    );
    stack.stop().await;
}
