//! Model servers that stand in front of model servers.

use crate::stack::{serve, start};
use agent_stack::authorities::Authorities;
use agent_stack::http_client;
use agent_stack::model::{Answers, Engine, ModelParts, Upstream, router};
use agent_stack::server::Server;
use agent_stack::telemetry::Telemetry;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::post;
use portproof_proto::names::BACKEND_HEADER;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

fn parts(name: &str, answers: Answers) -> ModelParts {
    ModelParts {
        name: name.into(),
        answers,
        telemetry: Telemetry::disabled(name),
    }
}

fn behind() -> Router {
    router(parts("behind", Answers::Engine(Engine::RefPlannerV2)))
}

fn front(address: SocketAddr) -> Server {
    let upstream = Upstream::new(&format!("http://{address}/v1"), &Authorities::Public).unwrap();
    let parts = parts("front", Answers::Upstream(Box::new(upstream)));
    let telemetry = parts.telemetry.clone();
    Server::new(router(parts)).observed_by(&telemetry)
}

/// Two servers, the first of which forwards to the second.
async fn pair(behind: Router, shutdown: &CancellationToken) -> [SocketAddr; 2] {
    let behind = start(behind, shutdown).await;
    [serve(front(behind), shutdown).await, behind]
}

async fn send(request: reqwest::RequestBuilder) -> (StatusCode, HeaderMap, String) {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    (status, headers, answer.text().await.unwrap())
}

async fn get(address: SocketAddr, path: &str) -> (StatusCode, HeaderMap, String) {
    send(client().get(format!("http://{address}{path}"))).await
}

async fn chat(address: SocketAddr, body: &Value) -> (StatusCode, HeaderMap, String) {
    send(
        client()
            .post(format!("http://{address}/v1/chat/completions"))
            .json(body),
    )
    .await
}

fn client() -> reqwest::Client {
    http_client::client(Duration::from_mins(1)).unwrap()
}

fn question(more: &Value) -> Value {
    let mut question = json!({"model": "ref-planner-v2", "messages": [{"role": "user", "content": "What is the price of SKU-1?"}]});
    let more = more.as_object().unwrap().clone();
    question.as_object_mut().unwrap().extend(more);
    question
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_upstream_answers_is_passed_on_whole_streamed_and_as_an_error() {
    let shutdown = CancellationToken::new();
    let [front, behind] = pair(self::behind(), &shutdown).await;
    for (request, status) in [
        (question(&json!({})), 200),
        (
            question(&json!({"stream": true, "stream_options": {"include_usage": true}})),
            200,
        ),
        (question(&json!({"model": "unknown"})), 404),
        (question(&json!({"n": 2})), 400),
    ] {
        let (front_status, headers, through) = chat(front, &request).await;
        let (_, direct_headers, direct) = chat(behind, &request).await;
        assert_eq!((front_status.as_u16(), through), (status, direct));
        assert_eq!(headers["content-type"], direct_headers["content-type"]);
        assert_eq!(headers[BACKEND_HEADER], "front");
    }
    for path in [
        "/v1/models",
        "/v1/models/ref-planner-v2",
        "/v1/models/nothing/here",
    ] {
        let (status, _, through) = get(front, path).await;
        let (direct_status, _, direct) = get(behind, path).await;
        assert_eq!((status, through), (direct_status, direct), "{path}");
    }
    let (_, _, metrics) = get(front, "/metrics").await;
    assert!(
        metrics.contains("vllm:e2e_request_latency_seconds_count{model_name=\"front\"} 2"),
        "{metrics}"
    );
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_passed_on_while_it_runs() {
    let shutdown = CancellationToken::new();
    let (pieces, sent) = mpsc::channel::<Result<&str, Infallible>>(1);
    let body = Body::from_stream(ReceiverStream::new(sent));
    let once = Arc::new(Mutex::new(Some(body)));
    let real = post(move || {
        let body = once.lock().unwrap().take().unwrap();
        async { ([("content-type", "text/event-stream")], body).into_response() }
    });
    let [front, _] = pair(Router::new().route("/v1/chat/completions", real), &shutdown).await;
    let request = client().post(format!("http://{front}/v1/chat/completions"));
    let mut answer = request
        .json(&question(&json!({"stream": true})))
        .send()
        .await
        .unwrap();
    for piece in ["data: 1\n\n", "data: [DONE]\n\n"] {
        // The next piece is sent only after the one before has come through.
        pieces.send(Ok(piece)).await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), piece);
    }
    drop(pieces);
    assert_eq!(answer.chunk().await.unwrap(), None);
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_sees_the_request_as_it_was_sent() {
    let shutdown = CancellationToken::new();
    let echo = post(|headers: HeaderMap, body: String| async move {
        let header = |name: &str| {
            headers
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        json!({"authorization": header("authorization"), "via": header("via"), "cookie": header("cookie"), "body": body}).to_string()
    });
    let [front, _] = pair(Router::new().route("/v1/chat/completions", echo), &shutdown).await;
    let body = r#"{"model": "gpt", "messages": [], "unknown": [1.0]}"#;
    let request = client()
        .post(format!("http://{front}/v1/chat/completions"))
        .body(body);
    let headers = [
        ("content-type", "application/json"),
        ("authorization", "Bearer key"),
        ("cookie", "c"),
    ];
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    let seen: Value = serde_json::from_str(&send(request).await.2).unwrap();
    assert_eq!(seen["body"], body);
    assert_eq!(
        (&seen["authorization"], &seen["cookie"]),
        (&json!("Bearer key"), &Value::Null)
    );
    assert!(
        seen["via"]
            .as_str()
            .unwrap()
            .starts_with("1.1 portproof-model-")
    );
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_leads_back_is_an_error_and_no_endless_circle() {
    let shutdown = CancellationToken::new();
    let [one, other] = {
        let listeners = [
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
        ];
        let [one, other] = [0, 1].map(|index| listeners[index].local_addr().unwrap());
        for (listener, upstream) in listeners.into_iter().zip([other, one]) {
            tokio::spawn(front(upstream).serve_on(listener, shutdown.clone()));
        }
        [one, other]
    };
    for address in [one, other] {
        for (status, _, body) in [
            chat(address, &question(&json!({}))).await,
            get(address, "/v1/models").await,
        ] {
            assert_eq!(status, StatusCode::LOOP_DETECTED);
            let error: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(error["error"]["code"], "upstream_loop", "{body}");
        }
    }
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_does_not_answer_is_a_bad_gateway() {
    let shutdown = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let front = serve(front(nobody), &shutdown).await;
    let (status, _, body) = chat(front, &question(&json!({}))).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    let error: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&error["error"]["type"], &error["error"]["code"]),
        (&json!("server_error"), &json!("upstream_unavailable"))
    );
    let (_, _, metrics) = get(front, "/metrics").await;
    assert!(metrics.contains("vllm:num_requests_running{model_name=\"front\"} 0"));
    shutdown.cancel();
}
