//! The stack with a model server that is not its own: another name of the model, a key, and a server that says no.

use crate::part::client;
use crate::stack::{Stack, options, start};
use agent_stack::agent::{AgentEvent, FailedPart};
use agent_stack::all::Options;
use agent_stack::api_key::KeyFile;
use agent_stack::authorities::Authorities;
use agent_stack::model::{Answers, Engine, ModelParts, Upstream, router};
use agent_stack::telemetry::Telemetry;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures::future::join_all;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

/// The key that [`keyed`] wants.
pub(crate) const KEY: &str = "sk-of-bad-news";
/// The name under which [`keyed`] serves its model beside the usual ones.
pub(crate) const MODEL: &str = "outside-7b";
const TASK: &str = "What is the price of SKU-2048?";

fn model(answers: Answers) -> Router {
    router(ModelParts {
        name: MODEL.into(),
        answers,
        telemetry: Telemetry::disabled(MODEL),
    })
}

/// A second model server, which wants a key.
pub(crate) fn keyed() -> Router {
    model(Answers::Engine(Engine::RefPlannerV1)).layer(middleware::from_fn(wants_key))
}

async fn wants_key(request: Request, next: Next) -> Response {
    let sent: Vec<_> = request
        .headers()
        .get_all(header::AUTHORIZATION)
        .iter()
        .collect();
    if sent == [&format!("Bearer {KEY}")] {
        return next.run(request).await;
    }
    let error = json!({"error": {"message": "Incorrect API key provided.", "type": "invalid_request_error", "code": "invalid_api_key"}});
    (StatusCode::UNAUTHORIZED, Json(error)).into_response()
}

pub(crate) fn key_file() -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{KEY}\n")).unwrap();
    file
}

/// What becomes of a task whose agent asks for `model` at `server`.
async fn asked(server: SocketAddr, model: &str, key: Option<KeyFile>) -> AgentEvent {
    let options = Options {
        model_url: Some(format!("http://{server}")),
        model: model.into(),
        model_key: key,
        ..options()
    };
    let stack = Stack::with(options).await;
    let last = stack.ask(TASK).await.pop().unwrap();
    stack.stop().await;
    last
}

fn failure(last: AgentEvent) -> (FailedPart, String) {
    match last {
        AgentEvent::Failure { part, message, .. } => (part, message),
        other => panic!("no failure but {other:?}"),
    }
}

fn is_answer(last: &AgentEvent) -> bool {
    matches!(last, AgentEvent::Answer { text, .. } if text.contains("17.35 EUR"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_relay_asks_with_its_key_and_not_with_that_of_its_client() {
    let shutdown = CancellationToken::new();
    let server = start(keyed(), &shutdown).await;
    let (file, other) = (key_file(), NamedTempFile::new().unwrap());
    std::fs::write(other.path(), "sk-of-the-client").unwrap();
    let key = KeyFile::open(file.path()).unwrap();
    let upstream = Upstream::new(&format!("http://{server}"), &Authorities::Public).unwrap();
    let with_key = model(Answers::Upstream(Box::new(upstream.clone().with_key(key))));
    let relay = start(with_key, &shutdown).await;
    let client = KeyFile::open(other.path()).unwrap();
    let last = asked(relay, MODEL, Some(client)).await;
    assert!(is_answer(&last), "{last:?}");
    let without = start(model(Answers::Upstream(Box::new(upstream))), &shutdown).await;
    let (part, message) = failure(asked(without, MODEL, None).await);
    assert_eq!(part, FailedPart::Model);
    assert_eq!(
        message,
        "the model failed: the model server refused with 401 Unauthorized: \"Incorrect API key provided.\""
    );
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_agent_can_hold_the_key_itself() {
    let shutdown = CancellationToken::new();
    let server = start(keyed(), &shutdown).await;
    let file = key_file();
    let last = asked(server, MODEL, KeyFile::open(file.path()).ok()).await;
    assert!(is_answer(&last), "{last:?}");
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_the_server_does_not_have_is_told_in_its_words() {
    let shutdown = CancellationToken::new();
    let file = key_file();
    let server = start(keyed(), &shutdown).await;
    let (part, message) =
        failure(asked(server, "gpt-of-others", KeyFile::open(file.path()).ok()).await);
    assert_eq!(part, FailedPart::Model);
    let told = "refused with 404 Not Found: \"the model `gpt-of-others` does not exist here; there is `outside-7b`";
    assert!(message.contains(told), "{message}");
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_gone_is_told_and_nothing_is_asked_without_it() {
    let shutdown = CancellationToken::new();
    let server = start(keyed(), &shutdown).await;
    let file = key_file();
    let key = KeyFile::open(file.path()).ok();
    drop(file);
    let (part, message) = failure(asked(server, MODEL, key).await);
    assert_eq!(part, FailedPart::Model);
    assert!(
        message.contains("there is no key for the model server"),
        "{message}"
    );
    shutdown.cancel();
}

/// A server that counts how often it is asked for its models, and shows them only in its second answer.
fn counting(asked: &Arc<AtomicU32>) -> Router {
    let asked = Arc::clone(asked);
    let models = move || {
        let busy = asked.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            if busy {
                return StatusCode::TOO_MANY_REQUESTS.into_response();
            }
            Json(json!({"object": "list", "data": [{"id": MODEL}]})).into_response()
        }
    };
    Router::new().route("/v1/models", get(models))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_models_that_is_asked_for_often_is_asked_of_the_server_once() {
    let (shutdown, asked) = (CancellationToken::new(), Arc::default());
    let server = start(counting(&asked), &shutdown).await;
    let upstream = Upstream::new(&format!("http://{server}"), &Authorities::Public).unwrap();
    let relay = start(model(Answers::Upstream(Box::new(upstream))), &shutdown).await;
    let client = client();
    let list = || client.get(format!("http://{relay}/v1/models"));
    let refused = list().send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let answers = join_all((0..100).map(|_| list().send())).await;
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
        let models: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(models["data"][0]["id"], MODEL);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    for _ in 0..2 {
        let own = list().header(header::AUTHORIZATION, "Bearer of-the-client");
        assert_eq!(own.send().await.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    shutdown.cancel();
}
