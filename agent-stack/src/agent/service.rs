//! The route of the agent: a task in, a stream of events out.

use super::chat::Chat;
use super::event::AgentEvent;
use super::task::Task;
use crate::http_client::{self, HttpError};
use crate::server;
use crate::telemetry::{Context, Telemetry, header_context};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Longest time a task may name, in seconds.
const MAX_SECONDS: u32 = 600;
/// Events that wait for a slow reader before the task waits too.
const BACKLOG: usize = 64;

/// Body of `POST /v1/tasks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskRequest {
    /// Id of the task, for spans.
    pub task_id: String,
    /// What to do.
    pub prompt: String,
    /// Longest time it may take, in seconds, at most 600.
    pub deadline_seconds: u32,
}

/// What an agent is made of.
#[derive(Clone, Debug)]
pub struct AgentParts {
    pub(super) chat: Chat,
    pub(super) gateway_url: String,
    pub(super) gateway_client: reqwest::Client,
    pub(super) telemetry: Telemetry,
}

impl AgentParts {
    /// An agent that asks `chat` and calls the tools at the MCP endpoint `gateway_url`.
    ///
    /// # Errors
    /// When the client for the tool gateway cannot be set up.
    pub fn new(chat: Chat, gateway_url: String, telemetry: Telemetry) -> Result<Self, HttpError> {
        let gateway_client = http_client::client(Duration::from_secs(MAX_SECONDS.into()))?;
        Ok(Self {
            chat,
            gateway_url,
            gateway_client,
            telemetry,
        })
    }
}

/// The routes of an agent.
pub fn router(parts: AgentParts) -> Router {
    let router = Router::new()
        .route("/v1/tasks", post(tasks))
        .with_state(Arc::new(parts));
    server::with_health(router, server::always_ready())
}

async fn tasks(
    State(parts): State<Arc<AgentParts>>,
    headers: HeaderMap,
    Json(request): Json<TaskRequest>,
) -> Response {
    let (events, received) = mpsc::channel(BACKLOG);
    let parent = header_context(&headers);
    tokio::spawn(async move {
        let reader_left = events.clone();
        tokio::select! {
            () = work(&parts, &request, &parent, &events) => {}
            // Nobody reads the answer any more: the work ends with its request.
            () = reader_left.closed() => tracing::info!(task = request.task_id, "the caller left"),
        }
    });
    let lines = ReceiverStream::new(received).map(|event| Ok::<_, Infallible>(line(&event)));
    (
        [(header::CONTENT_TYPE, "application/x-ndjson")],
        Body::from_stream(lines),
    )
        .into_response()
}

/// Works on the task until its deadline; the last event is the answer or the failure.
async fn work(
    parts: &AgentParts,
    request: &TaskRequest,
    parent: &Context,
    events: &mpsc::Sender<AgentEvent>,
) {
    let limit = Duration::from_secs(request.deadline_seconds.clamp(1, MAX_SECONDS).into());
    let last = Task {
        parts,
        request,
        events,
        limit,
    }
    .run(parent)
    .await;
    // The reader may have left; then nobody needs the event.
    let _ = events.send(last).await;
}

fn line(event: &AgentEvent) -> Bytes {
    let mut line = serde_json::to_vec(event).unwrap_or_default();
    line.push(b'\n');
    Bytes::from(line)
}
