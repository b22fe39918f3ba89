//! The routes of the model server.

use super::metrics::{self, Metrics};
use super::openai::{ChatRequest, ChatResponse, Choice, Message, Usage};
use super::upstream::{Upstream, UpstreamError};
use super::{planner, stream};
use crate::server;
use crate::telemetry::{ActiveSpan, SpanKind, Telemetry, header_context};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use portproof_proto::{names, telemetry as attributes};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

const CHAT: &str = "/v1/chat/completions";

/// What the handlers share.
struct Model {
    name: String,
    metrics: Metrics,
    upstream: Option<Upstream>,
    telemetry: Telemetry,
}

/// The routes of a model server that answers as `name`.
pub fn router(name: String, upstream: Option<Upstream>, telemetry: Telemetry) -> Router {
    let model = Arc::new(Model {
        metrics: Metrics::new(&name),
        name,
        upstream,
        telemetry,
    });
    let counted = Router::new()
        .route(CHAT, post(chat))
        .route("/v1/models", get(models))
        .layer(middleware::from_fn_with_state(Arc::clone(&model), count));
    let router = counted
        .route("/metrics", get(metrics))
        .route("/requests", get(requests))
        .with_state(Arc::clone(&model));
    let router = server::with_health(router, server::always_ready());
    router.layer(middleware::from_fn_with_state(model, name_backend))
}

/// Counts what a load driver sends; health and metrics requests are not its own.
async fn count(State(model): State<Arc<Model>>, request: Request, next: Next) -> Response {
    model.metrics.received(request.uri().path());
    next.run(request).await
}

/// Puts the backend's name on every answer, so that a load driver knows who answered.
async fn name_backend(State(model): State<Arc<Model>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Ok(name) = HeaderValue::from_str(&model.name) {
        response
            .headers_mut()
            .insert(HeaderName::from_static(names::BACKEND_HEADER), name);
    }
    response
}

async fn metrics(State(model): State<Arc<Model>>) -> Response {
    match model.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn requests(State(model): State<Arc<Model>>) -> Json<Value> {
    Json(json!({"count": model.metrics.count()}))
}

async fn models(State(model): State<Arc<Model>>) -> Response {
    if let Some(upstream) = &model.upstream {
        return relay(upstream.models().await);
    }
    let entry = json!({"id": model.name, "object": "model", "created": 0, "owned_by": "portproof"});
    Json(json!({"object": "list", "data": [entry]})).into_response()
}

async fn chat(
    State(model): State<Arc<Model>>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    let span = model.telemetry.span(
        format!("POST {CHAT}"),
        SpanKind::Server,
        &header_context(&headers),
    );
    span.set("http.request.method", "POST");
    span.set("http.route", CHAT);
    let response = match serde_json::from_slice::<ChatRequest>(&body) {
        Ok(request) => model.answer(&request, &span).await,
        Err(error) => error_response(
            StatusCode::BAD_REQUEST,
            "invalid_request_error",
            &error.to_string(),
        ),
    };
    span.set(
        "http.response.status_code",
        i64::from(response.status().as_u16()),
    );
    if response.status().is_server_error() {
        span.fail(response.status().as_str(), "the request failed");
    }
    response
}

impl Model {
    async fn answer(&self, request: &ChatRequest, span: &ActiveSpan) -> Response {
        let _running = self.metrics.begin();
        span.set(attributes::REQUEST_MODEL, request.model.clone());
        match &self.upstream {
            Some(upstream) => relay(upstream.chat(request, span.traceparent()).await),
            None => self.plan(request, span),
        }
    }

    fn plan(&self, request: &ChatRequest, span: &ActiveSpan) -> Response {
        let started = Instant::now();
        let response = respond(&self.name, request, planner::reply(request));
        let finish_reason = &response.choices[0].finish_reason;
        self.metrics
            .finished(finish_reason, response.usage, started.elapsed());
        span.set(attributes::RESPONSE_MODEL, response.model.clone());
        if !request.stream {
            return Json(response).into_response();
        }
        let include_usage = request
            .stream_options
            .is_some_and(|options| options.include_usage);
        stream::events(&response, include_usage).into_response()
    }
}

fn respond(model: &str, request: &ChatRequest, message: Message) -> ChatResponse {
    let usage = usage(request, &message);
    let finish_reason = if message.tool_calls.is_empty() {
        "stop"
    } else {
        "tool_calls"
    };
    ChatResponse {
        id: format!("chatcmpl-{}", Uuid::new_v4().simple()),
        object: "chat.completion".into(),
        created: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs(),
        model: model.to_owned(),
        choices: vec![Choice {
            index: 0,
            message,
            finish_reason: finish_reason.into(),
        }],
        usage,
    }
}

fn usage(request: &ChatRequest, message: &Message) -> Usage {
    let prompt_tokens =
        planner::tokens(&json!({"messages": request.messages, "tools": request.tools}).to_string());
    let completion_tokens = planner::tokens(&json!(message).to_string());
    Usage {
        prompt_tokens,
        completion_tokens,
        total_tokens: prompt_tokens.saturating_add(completion_tokens),
    }
}

/// Passes status, media type and body of the upstream's answer on as they come.
fn relay(answer: Result<reqwest::Response, UpstreamError>) -> Response {
    match answer {
        Err(error) => {
            tracing::warn!(%error, "no answer from upstream");
            error_response(
                StatusCode::BAD_GATEWAY,
                "upstream_error",
                &error.to_string(),
            )
        }
        Ok(answer) => {
            let status = answer.status();
            let media_type = answer.headers().get(header::CONTENT_TYPE).cloned();
            let mut response = Response::new(Body::from_stream(answer.bytes_stream()));
            *response.status_mut() = status;
            response
                .headers_mut()
                .extend(media_type.map(|media_type| (header::CONTENT_TYPE, media_type)));
            response
        }
    }
}

fn error_response(status: StatusCode, kind: &str, message: &str) -> Response {
    (
        status,
        Json(json!({"error": {"type": kind, "message": message}})),
    )
        .into_response()
}
