//! Asks the model, with one CLIENT span for each request.

use super::retry::{Attempts, RetryPolicy};
use super::words;
use crate::api_key::{KeyError, KeyFile};
use crate::authorities::Authorities;
use crate::http_client::{self, HttpError, read_body};
use crate::model::openai::{ChatRequest, ChatResponse, Choice};
use crate::telemetry::{ActiveSpan, SpanKind, TRACEPARENT, Telemetry};
use opentelemetry::{Array, StringValue, Value};
use portproof_proto::names::BACKEND_HEADER;
use portproof_proto::telemetry as attributes;
use reqwest::{Client, StatusCode, Url, header};
use std::time::Duration;

/// Longest time one answer may take; the deadline of the task is usually shorter.
const LIMIT: Duration = Duration::from_mins(5);
/// Provider of the model in spans.
const PROVIDER: &str = "portproof";

/// Why the model gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// Not an absolute HTTP URL.
    #[error("`{url}` is not the URL of a model server")]
    Url {
        /// What was given.
        url: String,
    },
    /// The client cannot be set up.
    #[error("the client for the model cannot be set up")]
    Client(#[source] HttpError),
    /// No answer.
    #[error("the model does not answer")]
    Transport(#[source] HttpError),
    /// No answer in time.
    #[error("the model did not answer within {} s", limit.as_secs_f64())]
    Timeout {
        /// The time it had.
        limit: Duration,
    },
    /// The server is in trouble, or too busy.
    #[error("the model server answered {status}{}", words::behind(words.as_deref()))]
    Status {
        /// HTTP status.
        status: StatusCode,
        /// What it says.
        words: Option<String>,
    },
    /// The server will not do what it is asked: it does not know the model, or the key, or the request is not for it.
    #[error("the model server refused with {status}{}", words::behind(words.as_deref()))]
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// What it says.
        words: Option<String>,
    },
    /// There is no key to ask with.
    #[error("there is no key for the model server")]
    Key(#[source] KeyError),
    /// Not a chat completion.
    #[error("the answer is not a chat completion")]
    Json(#[source] serde_json::Error),
    /// No choice in it.
    #[error("the model's answer is empty")]
    Empty,
}

impl ChatError {
    fn error_type(&self) -> String {
        match self {
            Self::Status { status, .. } | Self::Refused { status, .. } => {
                status.as_str().to_owned()
            }
            Self::Json(_) | Self::Empty => "invalid_answer".to_owned(),
            Self::Timeout { .. } => "timeout".to_owned(),
            Self::Key(_) => "key".to_owned(),
            Self::Url { .. } | Self::Client(_) | Self::Transport(_) => "transport".to_owned(),
        }
    }

    /// Whether the same request may be answered a moment later. Asking a model changes nothing, so asking again is safe.
    fn is_transient(&self) -> bool {
        match self {
            Self::Transport(_) | Self::Timeout { .. } => true,
            Self::Status { status, .. } => is_trouble(*status),
            Self::Refused { .. }
            | Self::Key(_)
            | Self::Url { .. }
            | Self::Client(_)
            | Self::Json(_)
            | Self::Empty => false,
        }
    }

    /// What an answer with an error status means.
    async fn of_answer(answer: reqwest::Response) -> Self {
        let status = answer.status();
        let body = read_body(answer).await.unwrap_or_default();
        let words = words::of_error(&body);
        if status.is_client_error() && !is_trouble(status) {
            Self::Refused { status, words }
        } else {
            Self::Status { status, words }
        }
    }
}

/// Whether a status says that the same request may be answered a moment later.
fn is_trouble(status: StatusCode) -> bool {
    let later = [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT];
    later.contains(&status) || status.is_server_error()
}

/// Which model to ask, and where.
#[derive(Clone, Debug)]
pub struct ModelEndpoint {
    /// The part of the URL before `/v1`.
    pub url: String,
    /// `Host` header, when the URL names a Gateway.
    pub host: Option<String>,
    /// Name of the model.
    pub model: String,
    /// Key of the server, where it wants one.
    pub key: Option<KeyFile>,
    /// Who may vouch for the server, where its URL is one of HTTPS.
    pub authorities: Authorities,
}

/// A model that can be asked.
#[derive(Clone, Debug)]
pub struct Chat {
    client: Client,
    url: Url,
    host: Option<String>,
    model: String,
    key: Option<KeyFile>,
}

/// Until when, and how often, the model is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) policy: RetryPolicy,
    pub(super) until: tokio::time::Instant,
}

/// What the model said, and which backend said it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    pub(super) choice: Choice,
    pub(super) prompt_tokens: u32,
    pub(super) completion_tokens: u32,
    pub(super) backend: String,
    /// How often it was asked.
    pub(super) attempts: u32,
}

impl Chat {
    /// The model at `endpoint`.
    ///
    /// # Errors
    /// When its URL is not one of an HTTP server.
    pub fn new(endpoint: ModelEndpoint) -> Result<Self, ChatError> {
        let ModelEndpoint {
            url,
            host,
            model,
            key,
            authorities,
        } = endpoint;
        let client =
            http_client::client_for(&url, &authorities, LIMIT).map_err(ChatError::Client)?;
        let text = format!(
            "{}/v1/chat/completions",
            url.trim_end_matches('/').trim_end_matches("/v1")
        );
        let parsed = Url::parse(&text)
            .ok()
            .filter(|parsed| matches!(parsed.scheme(), "http" | "https"));
        Ok(Self {
            client,
            url: parsed.ok_or(ChatError::Url { url })?,
            host,
            model,
            key,
        })
    }

    /// Asks the model, again where that may help; the span of each request is a child of `parent`.
    pub(super) async fn ask(
        &self,
        mut request: ChatRequest,
        patience: Patience,
        telemetry: &Telemetry,
        parent: &ActiveSpan,
    ) -> Result<Reply, ChatError> {
        self.model.clone_into(&mut request.model);
        let mut attempts = patience.policy.begin(patience.until);
        loop {
            let span = self.span(telemetry, parent);
            span.set(attributes::ATTEMPT, i64::from(attempts.number()));
            let reply = self.attempt(&request, &attempts, &span).await;
            match reply {
                Err(error) if error.is_transient() => {
                    drop(span);
                    tracing::info!(%error, attempt = attempts.number(), "the model did not answer");
                    if !attempts.again().await {
                        return Err(error);
                    }
                }
                reply => return reply,
            }
        }
    }

    async fn attempt(
        &self,
        request: &ChatRequest,
        attempts: &Attempts,
        span: &ActiveSpan,
    ) -> Result<Reply, ChatError> {
        let limit = attempts.limit();
        let sent = tokio::time::timeout(limit, self.send(request, span)).await;
        let reply = sent.unwrap_or(Err(ChatError::Timeout { limit }));
        if let Err(error) = &reply {
            span.fail(error.error_type(), error.to_string());
        }
        reply.map(|reply| Reply {
            attempts: attempts.number(),
            ..reply
        })
    }

    fn span(&self, telemetry: &Telemetry, parent: &ActiveSpan) -> ActiveSpan {
        let name = format!("{} {}", attributes::CHAT, self.model);
        let span = telemetry.span(name, SpanKind::Client, parent.context());
        span.set(attributes::OPERATION, attributes::CHAT);
        span.set(attributes::PROVIDER, PROVIDER);
        span.set(attributes::REQUEST_MODEL, self.model.clone());
        span.set(
            "server.address",
            self.url.host_str().unwrap_or_default().to_owned(),
        );
        span.set(
            "server.port",
            i64::from(self.url.port_or_known_default().unwrap_or_default()),
        );
        span
    }

    async fn send(&self, request: &ChatRequest, span: &ActiveSpan) -> Result<Reply, ChatError> {
        let mut sent = self.client.post(self.url.clone()).json(request);
        if let Some(traceparent) = span.traceparent() {
            sent = sent.header(TRACEPARENT, traceparent);
        }
        if let Some(host) = &self.host {
            sent = sent.header(header::HOST, host);
        }
        if let Some(key) = &self.key {
            let bearer = key.bearer().await.map_err(ChatError::Key)?;
            sent = sent.header(header::AUTHORIZATION, bearer);
        }
        let answer = sent.send().await.map_err(|source| {
            ChatError::Transport(HttpError::Transport {
                url: self.url.to_string(),
                source: source.without_url(),
            })
        })?;
        read(answer, span).await
    }
}

async fn read(answer: reqwest::Response, span: &ActiveSpan) -> Result<Reply, ChatError> {
    if !answer.status().is_success() {
        return Err(ChatError::of_answer(answer).await);
    }
    let backend = answer
        .headers()
        .get(BACKEND_HEADER)
        .and_then(|name| name.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let body = read_body(answer).await.map_err(ChatError::Transport)?;
    let response: ChatResponse = serde_json::from_slice(&body).map_err(ChatError::Json)?;
    describe(span, &response);
    let ChatResponse { choices, usage, .. } = response;
    let choice = choices.into_iter().next().ok_or(ChatError::Empty)?;
    Ok(Reply {
        choice,
        prompt_tokens: usage.prompt_tokens,
        completion_tokens: usage.completion_tokens,
        backend,
        attempts: 1,
    })
}

fn describe(span: &ActiveSpan, response: &ChatResponse) {
    let reasons = response
        .choices
        .iter()
        .map(|choice| StringValue::from(choice.finish_reason.clone()))
        .collect();
    span.set(
        attributes::FINISH_REASONS,
        Value::Array(Array::String(reasons)),
    );
    span.set(attributes::RESPONSE_MODEL, response.model.clone());
    span.set(
        attributes::INPUT_TOKENS,
        i64::from(response.usage.prompt_tokens),
    );
    span.set(
        attributes::OUTPUT_TOKENS,
        i64::from(response.usage.completion_tokens),
    );
}
