//! The route of the agent: a task in, a stream of events out.

use super::AGENT;
use super::chat::Chat;
use super::event::AgentEvent;
use super::mcp::Endpoint;
use super::request::{self, MAX_SECONDS, RequestError, TaskRequest};
use super::retry::RetryPolicy;
use super::stream::Form;
use super::task::Task;
use crate::http_client::{self, HttpError};
use crate::server;
use crate::telemetry::{Context, Telemetry, header_context};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, Uri};
use axum::response::Response;
use axum::routing::post;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Events that wait for a slow reader before the task waits too.
const BACKLOG: usize = 64;

/// What an agent is made of.
#[derive(Clone, Debug)]
pub struct AgentParts {
    pub(super) chat: Chat,
    pub(super) endpoint: Endpoint,
    pub(super) telemetry: Telemetry,
    pub(super) policy: RetryPolicy,
}

impl AgentParts {
    /// An agent that asks `chat` and calls the tools at the MCP endpoint `gateway_url`.
    ///
    /// # Errors
    /// When the client for the tool gateway cannot be set up.
    pub fn new(chat: Chat, gateway_url: String, telemetry: Telemetry) -> Result<Self, HttpError> {
        let client = http_client::client(Duration::from_secs(MAX_SECONDS.into()))?;
        Ok(Self {
            chat,
            endpoint: Endpoint {
                client,
                url: gateway_url,
            },
            telemetry,
            policy: RetryPolicy::default(),
        })
    }

    /// The same agent with other bounds for what it tries again.
    #[must_use]
    pub fn with_policy(self, policy: RetryPolicy) -> Self {
        Self { policy, ..self }
    }
}

/// The routes of an agent.
pub fn router(parts: AgentParts) -> Router {
    let router = Router::new()
        .route("/v1/tasks", post(tasks))
        .fallback(unknown_url)
        .method_not_allowed_fallback(other_method)
        .with_state(Arc::new(parts));
    server::with_health(router, server::always_ready())
}

async fn unknown_url(method: Method, uri: Uri) -> RequestError {
    let path = uri.path().to_owned();
    RequestError::UnknownUrl { method, path }
}

async fn other_method(method: Method, uri: Uri) -> RequestError {
    let path = uri.path().to_owned();
    RequestError::Method { method, path }
}

async fn tasks(
    State(parts): State<Arc<AgentParts>>,
    request: Request,
) -> Result<Response, RequestError> {
    let form = Form::accepted(request.headers())?;
    let parent = header_context(request.headers());
    let task = request::read(request).await?;
    let (events, received) = mpsc::channel(BACKLOG);
    tokio::spawn(async move { work(&parts, &task, &parent, &events).await });
    Ok(form.answer(ReceiverStream::new(received)))
}

/// Works on the task until its deadline; the last event is the answer or the failure.
async fn work(
    parts: &AgentParts,
    request: &TaskRequest,
    parent: &Context,
    events: &mpsc::Sender<AgentEvent>,
) {
    let began = Instant::now();
    let last = Task::new(parts, request, events).run(parent).await;
    let metrics = parts.telemetry.metrics();
    metrics.task_ended(AGENT, failed_part(&last), began.elapsed());
    // The reader may have left; then nobody needs the event.
    let _ = events.send(last).await;
}

/// The part of the stack in which a task failed.
fn failed_part(last: &AgentEvent) -> Option<&'static str> {
    match last {
        AgentEvent::Failure { part, .. } => Some(part.name()),
        _ => None,
    }
}
