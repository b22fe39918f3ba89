use super::*;
use crate::server;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use portproof_proto::names::BACKEND_HEADER;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

fn model() -> Router {
    router(
        "model-stable".into(),
        None,
        Telemetry::disabled("model-stable"),
    )
}

async fn send(router: &Router, request: Request<Body>) -> (StatusCode, Option<String>, String) {
    let response = router.clone().oneshot(request).await.unwrap();
    let backend = response
        .headers()
        .get(BACKEND_HEADER)
        .map(|name| name.to_str().unwrap().to_owned());
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, backend, String::from_utf8(body.to_vec()).unwrap())
}

async fn get(router: &Router, path: &str) -> (StatusCode, Option<String>, String) {
    send(router, Request::get(path).body(Body::empty()).unwrap()).await
}

async fn chat(router: &Router, body: &Value) -> (StatusCode, Option<String>, String) {
    send(
        router,
        Request::post("/v1/chat/completions")
            .body(Body::from(body.to_string()))
            .unwrap(),
    )
    .await
}

fn question(stream: bool) -> Value {
    json!({"model": "any", "stream": stream, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "What is the price of SKU-1?"}],
        "tools": [{"type": "function", "function": {"name": "price", "description": "Looks up the price of an item.",
            "parameters": {"type": "object", "properties": {"sku": {"type": "string"}}}}}]})
}

#[tokio::test]
async fn a_completion_calls_the_offered_tool_and_counts_tokens() {
    let (status, backend, body) = chat(&model(), &question(false)).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, backend.as_deref()),
        (StatusCode::OK, Some("model-stable"))
    );
    assert_eq!(body["choices"][0]["finish_reason"], "tool_calls");
    let call = &body["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(
        call["function"],
        json!({"name": "price", "arguments": r#"{"sku":"SKU-1"}"#})
    );
    let usage = &body["usage"];
    assert!(usage["prompt_tokens"].as_u64().unwrap() > 0);
    assert_eq!(
        usage["total_tokens"].as_u64().unwrap(),
        usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap()
    );
}

#[tokio::test]
async fn a_streamed_completion_says_the_same_in_chunks() {
    let (_, _, body) = chat(&model(), &question(true)).await;
    let events: Vec<&str> = body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    assert_eq!(events.last(), Some(&"[DONE]"));
    let chunks: Vec<Value> = events[..events.len() - 1]
        .iter()
        .map(|event| serde_json::from_str(event).unwrap())
        .collect();
    let call = chunks
        .iter()
        .find_map(|chunk| chunk.pointer("/choices/0/delta/tool_calls/0"))
        .unwrap();
    assert_eq!(call["function"]["name"], "price");
    assert!(
        chunks
            .iter()
            .any(|chunk| chunk.pointer("/choices/0/finish_reason") == Some(&json!("tool_calls")))
    );
    assert!(
        chunks.last().unwrap()["usage"]["prompt_tokens"]
            .as_u64()
            .unwrap()
            > 0
    );
}

#[tokio::test]
async fn a_body_that_is_no_chat_request_is_refused() {
    let (status, _, body) = chat(&model(), &json!({"messages": "no"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.contains("invalid_request_error"), "{body}");
}

#[tokio::test]
async fn requests_of_a_load_driver_are_counted_and_others_are_not() {
    let model = model();
    for _ in 0..3 {
        get(&model, "/v1/models").await;
    }
    for path in ["/healthz", "/metrics", "/requests"] {
        assert_eq!(
            get(&model, path).await.1.as_deref(),
            Some("model-stable"),
            "{path}"
        );
    }
    assert_eq!(get(&model, "/requests").await.2, r#"{"count":3}"#);
    assert!(
        get(&model, "/metrics")
            .await
            .2
            .contains("portproof_requests_total{path=\"/v1/models\"} 3")
    );
}

#[tokio::test]
async fn an_upstream_server_answers_in_place_of_the_planner() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let behind = router("behind".into(), None, Telemetry::disabled("behind"));
    let shutdown = CancellationToken::new();
    let served = tokio::spawn(server::serve_on(listener, behind, shutdown.clone()));
    let front = router(
        "front".into(),
        Some(Upstream::new(&url).unwrap()),
        Telemetry::disabled("front"),
    );
    let (status, backend, body) = chat(&front, &question(false)).await;
    assert_eq!(
        (status, backend.as_deref()),
        (StatusCode::OK, Some("front"))
    );
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap()["model"],
        "behind"
    );
    drop(front);
    shutdown.cancel();
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_is_a_bad_gateway() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let front = router(
        "front".into(),
        Some(Upstream::new(&url).unwrap()),
        Telemetry::disabled("front"),
    );
    assert_eq!(
        chat(&front, &question(false)).await.0,
        StatusCode::BAD_GATEWAY
    );
}
