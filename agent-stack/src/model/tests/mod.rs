mod answers;
mod bad_input;
mod honesty;
mod operations;

use super::*;
use crate::telemetry::with_metrics;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

const CHAT: &str = "/v1/chat/completions";

/// An answer, read to its end.
struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// Status, `code` and `param` of an error of OpenAI's shape.
    fn error(&self) -> (u16, String, Option<String>) {
        let error = &self.json()["error"];
        let text = |member: &str| error[member].as_str().map(str::to_owned);
        assert!(!text("message").unwrap().is_empty() && text("type").is_some());
        assert!(error.get("param").is_some());
        (self.status.as_u16(), text("code").unwrap(), text("param"))
    }

    /// The chunks of a stream that ended as it should.
    fn chunks(&self) -> Vec<Value> {
        let mut events: Vec<&str> = self
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .collect();
        assert_eq!(events.pop(), Some("[DONE]"));
        let chunks = events.into_iter().map(serde_json::from_str);
        chunks.collect::<Result<_, _>>().unwrap()
    }
}

fn engine_server(engine: Engine) -> Router {
    let telemetry = Telemetry::disabled("model-stable");
    let router = router(ModelParts {
        name: "model-stable".into(),
        answers: Answers::Engine(engine),
        telemetry: telemetry.clone(),
    });
    with_metrics(router, telemetry.metrics())
}

fn server() -> Router {
    engine_server(Engine::RefPlannerV1)
}

async fn send(server: &Router, request: Request<Body>) -> Answered {
    let response = server.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answered {
        status: head.status,
        headers: head.headers,
        text: String::from_utf8(body.to_vec()).unwrap(),
    }
}

async fn get(server: &Router, path: &str) -> Answered {
    send(server, Request::get(path).body(Body::empty()).unwrap()).await
}

async fn post(server: &Router, body: impl Into<Body>) -> Answered {
    let request = Request::post(CHAT).header(header::CONTENT_TYPE, "application/json");
    send(server, request.body(body.into()).unwrap()).await
}

async fn chat(body: &Value) -> Answered {
    post(&server(), body.to_string()).await
}

fn function(name: &str, description: &str, argument: &str) -> Value {
    let parameters = json!({"type": "object", "properties": {argument: {"type": "string"}}});
    json!({"type": "function", "function": {"name": name, "description": description, "parameters": parameters}})
}

fn tools() -> Value {
    json!([
        function("price", "Looks up the price of an item.", "sku"),
        function("find", "Searches manuals for passages.", "query"),
    ])
}

/// A question that takes one call of the tool `price`.
fn question() -> Value {
    json!({"model": "portproof-planner", "tools": tools(),
        "messages": [{"role": "user", "content": "What is the price of SKU-1?"}]})
}

/// The same conversation once the tool was called; what is left is to answer.
fn answered_question() -> Value {
    let call = json!({"id": "step-1", "type": "function", "function": {"name": "price", "arguments": "{\"sku\":\"SKU-1\"}"}});
    let item = json!({"sku": "SKU-1", "name": "Seal", "unitPrice": 42.5, "currency": "EUR"});
    json!({"model": "portproof-planner", "messages": [
        {"role": "user", "content": "What is the price of SKU-1?"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "step-1", "content": item.to_string()},
    ]})
}

const ANSWER: &str = "One unit of Seal (SKU-1) costs 42.50 EUR.";

/// `request` with more members.
fn with(mut request: Value, more: &Value) -> Value {
    let members = more.as_object().unwrap().clone();
    request.as_object_mut().unwrap().extend(members);
    request
}
