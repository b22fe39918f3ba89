//! A part as a process of its own: its environment, its spans, its end.

use crate::stack::{Collector, ROOT, TRACE};
use agent_stack::http_client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

/// Starts `agent-stack model` and waits until it answers.
async fn model(environment: &[(&str, &str)]) -> (Child, SocketAddr) {
    let address = std::net::TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_agent-stack"))
        .args([
            "model",
            "--name",
            "model-canary",
            "--port",
            &address.port().to_string(),
        ])
        .env_clear()
        .envs(environment.iter().copied())
        .env("RUST_LOG", "off")
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    while client()
        .get(format!("http://{address}/healthz"))
        .send()
        .await
        .is_err()
    {
        assert!(process.try_wait().unwrap().is_none(), "the model ended");
        tokio::task::yield_now().await;
    }
    (process, address)
}

fn client() -> reqwest::Client {
    http_client::client(Duration::from_mins(1)).unwrap()
}

async fn chat(address: SocketAddr) {
    let body = json!({"model": "portproof-planner", "messages": [{"role": "user", "content": "What is the price of SKU-2048?"}]});
    let sent = client()
        .post(format!("http://{address}/v1/chat/completions"))
        .json(&body);
    let answer = sent
        .header("traceparent", format!("00-{TRACE}-{ROOT}-01"))
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success());
}

async fn terminate(mut process: Child) {
    let pid = process
        .id()
        .and_then(|id| Pid::from_raw(id.cast_signed()))
        .unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert!(process.wait().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_spans_leave_on_sigterm_with_the_pod_they_come_from() {
    let shutdown = CancellationToken::new();
    let collector = Collector::start(&shutdown).await;
    let endpoint = collector.endpoint();
    let (process, address) = model(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("POD_NAME", "model-canary-0"),
    ])
    .await;
    chat(address).await;
    terminate(process).await;
    let spans = collector.spans();
    assert_eq!(spans.len(), 1);
    assert_eq!(
        (spans[0].service.as_str(), spans[0].pod.as_str()),
        ("model-canary", "model-canary-0")
    );
    assert_eq!(
        (spans[0].trace().as_str(), spans[0].parent().as_str()),
        (TRACE, ROOT)
    );
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_endpoint_nothing_is_exported() {
    // The port that exporters take by default must not be tried: were it open, spans would arrive at a stranger.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 4317));
    let (process, address) = model(&[]).await;
    chat(address).await;
    terminate(process).await;
    if let Ok(listener) = listener {
        listener.set_nonblocking(true).unwrap();
        assert!(
            listener.accept().is_err(),
            "something was sent to the default port"
        );
    }
}
