//! The routes of the model server.

use super::body::{self, BodyLimits};
use super::complete::{Completed, complete};
use super::engine::Engine;
use super::error::ApiError;
use super::metrics::{Metrics, Tracked};
use super::request::Completion;
use super::served::Served;
use super::stream::{self, DONE};
use super::upstream::{self, Upstream};
use crate::server;
use crate::strict_json;
use crate::telemetry::{ActiveSpan, SpanKind, Telemetry, header_context};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::Stream;
use portproof_proto::{names, telemetry as attributes};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;

const CHAT: &str = "/v1/chat/completions";
/// Header that names the parameters of a request that are valid and change nothing.
const IGNORED: HeaderName = HeaderName::from_static("x-portproof-ignored-parameters");

/// Who answers.
#[derive(Clone, Debug)]
pub enum Answers {
    /// A deterministic engine of our own.
    Engine(Engine),
    /// A real OpenAI-compatible server.
    Upstream(Box<Upstream>),
}

/// What a model server is made of.
#[derive(Clone, Debug)]
pub struct ModelParts {
    /// Name under which it answers.
    pub name: String,
    /// Who answers.
    pub answers: Answers,
    /// Where its spans go.
    pub telemetry: Telemetry,
}

/// What the handlers share.
struct Model {
    parts: ModelParts,
    metrics: Arc<Metrics>,
    limits: BodyLimits,
}

/// The routes of a model server.
pub fn router(parts: ModelParts) -> Router {
    let model = Arc::new(Model {
        metrics: Arc::new(Metrics::new(
            parts.telemetry.metrics().registry(),
            &parts.name,
        )),
        parts,
        limits: BodyLimits::default(),
    });
    let counted = Router::new()
        .route(CHAT, post(chat))
        .route("/v1/models", get(models))
        .route("/v1/models/{*id}", get(one_model))
        .layer(middleware::from_fn_with_state(Arc::clone(&model), count));
    let router = counted
        .route("/requests", get(requests))
        .route("/health", get(|| async { StatusCode::OK }))
        .fallback(unknown_url)
        .method_not_allowed_fallback(other_method)
        .with_state(Arc::clone(&model));
    let router = server::with_health(router, server::always_ready());
    router.layer(middleware::from_fn_with_state(model, name_backend))
}

/// Counts what a load driver sends; health and metrics requests are not its own.
async fn count(State(model): State<Arc<Model>>, request: Request, next: Next) -> Response {
    model.metrics.received(counted_path(request.uri().path()));
    next.run(request).await
}

/// The path without what clients make up: each path is a metric of its own.
fn counted_path(path: &str) -> &str {
    if path.starts_with("/v1/models/") {
        "/v1/models/{id}"
    } else {
        path
    }
}

/// Puts the backend's name on every answer, so that a load driver knows who answered.
async fn name_backend(State(model): State<Arc<Model>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Ok(name) = HeaderValue::from_str(&model.parts.name) {
        response
            .headers_mut()
            .insert(HeaderName::from_static(names::BACKEND_HEADER), name);
    }
    response
}

async fn unknown_url(method: Method, uri: Uri) -> ApiError {
    let path = uri.path().to_owned();
    ApiError::UnknownUrl { method, path }
}

async fn other_method(method: Method, uri: Uri) -> ApiError {
    let path = uri.path().to_owned();
    ApiError::Method { method, path }
}

async fn requests(State(model): State<Arc<Model>>) -> Json<Value> {
    Json(json!({"count": model.metrics.count()}))
}

async fn models(State(model): State<Arc<Model>>, headers: HeaderMap) -> Result<Response, ApiError> {
    match model.route(&headers)? {
        Route::Engine(served) => Ok(Json(served.list()).into_response()),
        Route::Upstream(upstream) => upstream.list(&headers).await,
    }
}

async fn one_model(
    State(model): State<Arc<Model>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    match model.route(&headers)? {
        Route::Engine(served) => Ok(Json(served.find(&id)?).into_response()),
        Route::Upstream(upstream) => {
            upstream::relay(upstream.models(Some(&id), &headers).await, None)
        }
    }
}

async fn chat(State(model): State<Arc<Model>>, request: Request) -> Response {
    let parent = header_context(request.headers());
    let span = model
        .parts
        .telemetry
        .span(format!("POST {CHAT}"), SpanKind::Server, &parent);
    span.set("http.request.method", "POST");
    span.set("http.route", CHAT);
    let answered = model.answer(request, &span).await;
    let response = answered.unwrap_or_else(axum::response::IntoResponse::into_response);
    let status = response.status();
    span.set("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.fail(status.as_str(), "the request failed");
    }
    response
}

/// The way a request takes.
enum Route<'a> {
    Engine(Served<'a>),
    Upstream(&'a Upstream),
}

impl Model {
    fn route(&self, headers: &HeaderMap) -> Result<Route<'_>, ApiError> {
        let ModelParts { name, answers, .. } = &self.parts;
        match answers {
            Answers::Engine(engine) => Ok(Route::Engine(Served {
                backend: name,
                engine: *engine,
            })),
            Answers::Upstream(upstream) if upstream.is_loop(headers) => {
                Err(ApiError::UpstreamLoop { name: name.clone() })
            }
            Answers::Upstream(upstream) => Ok(Route::Upstream(upstream)),
        }
    }

    async fn answer(&self, request: Request, span: &ActiveSpan) -> Result<Response, ApiError> {
        let (head, body) = request.into_parts();
        let route = self.route(&head.headers)?;
        let body = body::read(&head.headers, body, self.limits).await?;
        match route {
            Route::Engine(served) => {
                let completion = Completion::read(&body)?;
                span.set(attributes::REQUEST_MODEL, completion.chat.model.clone());
                served.check(&completion.chat.model)?;
                let tracked = self.metrics.admit().await;
                Ok(self.plan(served.engine, &completion, tracked, span))
            }
            Route::Upstream(upstream) => {
                span.set(attributes::REQUEST_MODEL, requested_model(&body)?);
                let tracked = self.metrics.admit().await;
                let answer = upstream.chat(body, &head.headers, span.traceparent());
                upstream::relay(answer.await, Some(tracked))
            }
        }
    }

    fn plan(
        &self,
        engine: Engine,
        completion: &Completion,
        mut tracked: Tracked,
        span: &ActiveSpan,
    ) -> Response {
        let completed = complete(&self.parts.name, engine, completion);
        span.set(attributes::RESPONSE_MODEL, completed.response.model.clone());
        let mut response = if completion.chat.stream {
            let options = completion.chat.stream_options.unwrap_or_default();
            Sse::new(events(completed, options.include_usage, tracked)).into_response()
        } else {
            let Completed { response, finish } = completed;
            tracked.token();
            tracked.finish(finish.into(), response.usage);
            Json(response).into_response()
        };
        if let Ok(ignored) = HeaderValue::from_str(&completion.ignored.join(", "))
            && !ignored.is_empty()
        {
            response.headers_mut().insert(IGNORED, ignored);
        }
        response
    }
}

/// The model a request for the upstream asks for. Only what both sides would read alike is passed on.
fn requested_model(body: &[u8]) -> Result<String, ApiError> {
    let request = strict_json::value(body)?;
    Ok(request["model"].as_str().unwrap_or_default().to_owned())
}

/// The events of a stream, counted as they leave.
fn events(
    completed: Completed,
    include_usage: bool,
    tracked: Tracked,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let Completed { response, finish } = completed;
    let usage = response.usage;
    let chunks = stream::chunks(&response, include_usage).into_iter();
    let leaving = (chunks, Some(tracked));
    futures::stream::unfold(leaving, move |(mut chunks, tracked)| async move {
        let mut tracked = tracked?;
        let Some(chunk) = chunks.next() else {
            tracked.finish(finish.into(), usage);
            return Some((Ok(Event::default().data(DONE)), (chunks, None)));
        };
        tracked.token();
        let event = Event::default().data(chunk.to_string());
        Some((Ok(event), (chunks, Some(tracked))))
    })
}
