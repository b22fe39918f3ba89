//! A part as a process of its own: its environment, its spans, its end.

use crate::part::{Part, client};
use crate::stack::{Collector, ROOT, TRACE};
use serde_json::json;
use std::net::SocketAddr;
use tokio_util::sync::CancellationToken;

async fn model(environment: &[(&str, &str)]) -> Part {
    Part::start(&["model", "--name", "model-canary"], environment).await
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

async fn terminate(part: Part) {
    part.terminate();
    assert!(part.end().await.0.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_spans_leave_on_sigterm_with_the_pod_they_come_from() {
    let shutdown = CancellationToken::new();
    let collector = Collector::start(&shutdown).await;
    let endpoint = collector.endpoint();
    let part = model(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("POD_NAME", "model-canary-0"),
    ])
    .await;
    chat(part.address).await;
    terminate(part).await;
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
    let part = model(&[]).await;
    chat(part.address).await;
    terminate(part).await;
    if let Ok(listener) = listener {
        listener.set_nonblocking(true).unwrap();
        assert!(
            listener.accept().is_err(),
            "something was sent to the default port"
        );
    }
}
