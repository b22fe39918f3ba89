//! The MCP endpoint: Streamable HTTP by the MCP library, and before it what the library leaves out.
//!
//! The library checks `Host`, `Origin`, the headers of SEP-2243 and the metadata of each request, and speaks both eras.
//! It leaves out a strict reading of the body, a choice of era, and errors that a JSON-RPC client can read for what it
//! refuses at the level of HTTP.

mod era;
mod message;
mod refusal;

pub use era::Era;

use crate::media_type;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, Collected, LengthLimitError, Limited};
use message::Message;
use refusal::Refusal;
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::Value;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Where the endpoint is.
pub(super) const PATH: &str = "/mcp";
/// Largest body of a request, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
/// How much of a plain refusal of the library is told, in bytes.
const TOLD: usize = 4096;
const JSON: &str = "application/json";

/// Whether clients of the older revisions get a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sessions {
    /// No: every request stands for itself, so that any replica can answer it.
    Never,
    /// Yes, which a server needs that asks its clients something during a call.
    Legacy,
}

/// What an endpoint is to be like.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) era: Era,
    /// `Host` values that are accepted, against DNS rebinding; an `Origin` must be of one of them too.
    pub(super) allowed_hosts: Vec<String>,
    pub(super) sessions: Sessions,
}

/// The route to `handler` at [`PATH`].
pub(super) fn endpoint<H: ServerHandler + Clone + Sync>(
    handler: H,
    settings: Settings,
    shutdown: CancellationToken,
) -> Router {
    let era = settings.era;
    let sessions = Arc::new(LocalSessionManager::default());
    let config = config(settings, shutdown);
    let library = StreamableHttpService::new(move || Ok(handler.clone()), sessions, config);
    Router::new()
        .route_service(PATH, library)
        .layer(middleware::from_fn_with_state(era, intake))
}

fn config(settings: Settings, shutdown: CancellationToken) -> StreamableHttpServerConfig {
    let Settings {
        era,
        allowed_hosts,
        sessions,
    } = settings;
    StreamableHttpServerConfig::default()
        .with_allowed_origins(origins(&allowed_hosts))
        .enforce_origin_validation()
        .with_allowed_hosts(allowed_hosts)
        .with_legacy_session_mode(sessions == Sessions::Legacy)
        .with_json_response(true)
        .with_sse_keep_alive(None)
        .with_max_request_body_bytes(MAX_BODY_BYTES)
        .with_stateless_protocol_metadata_required(era == Era::Modern)
        .with_cancellation_token(shutdown)
}

/// The origins of pages that `hosts` may have served, on any port.
fn origins(hosts: &[String]) -> Vec<String> {
    hosts
        .iter()
        .map(|host| origin_host(host))
        .flat_map(|host| ["http", "https"].map(|scheme| format!("{scheme}://{host}:*")))
        .collect()
}

/// The host of an origin: without a port, and an IPv6 address in brackets.
fn origin_host(host: &str) -> String {
    if let Ok(std::net::IpAddr::V6(address)) = host.parse() {
        return format!("[{address}]");
    }
    match host.parse::<axum::http::uri::Authority>() {
        Ok(authority) => authority.host().to_owned(),
        Err(_) => host.to_owned(),
    }
}

/// Lets through what is one well-formed message for a server of this era.
async fn intake(State(era): State<Era>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return explain(next.run(request).await, None).await;
    }
    match admit(era, request).await {
        Ok((request, id)) => explain(next.run(request).await, id).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// The request with its body read, and its id.
async fn admit(era: Era, request: Request) -> Result<(Request, Option<Value>), Refusal> {
    let (mut parts, body) = request.into_parts();
    check_content_type(&parts.headers)?;
    let body = read(body).await?;
    let message = Message::read(&body)?;
    era.admit(&parts.headers, &message)?;
    let id = message.id().cloned();
    let body = if era == Era::Legacy && message.describes_itself() {
        // The length of the body that is passed on is another one now.
        parts.headers.remove(CONTENT_LENGTH);
        Body::from(message.without_reserved_metadata().to_string())
    } else {
        Body::from(body)
    };
    Ok((Request::from_parts(parts, body), id))
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    if media_type::is_json(headers) {
        return Ok(());
    }
    let found = media_type::declared(headers);
    Err(Refusal::ContentType {
        found: if found.is_empty() {
            "missing".to_owned()
        } else {
            format!("`{found}`")
        },
    })
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(read) => Ok(read.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge {
            limit: MAX_BODY_BYTES,
        }),
        Err(_) => Err(Refusal::BrokenOff),
    }
}

/// Puts what the library refuses in plain text into a JSON-RPC error, under the same status and headers.
async fn explain(response: Response, id: Option<Value>) -> Response {
    let status = response.status();
    let refused = status.is_client_error() || status.is_server_error();
    if !refused
        || response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind == JSON)
    {
        return response;
    }
    let (parts, body) = response.into_parts();
    let text = told(body, status).await;
    let mut explained = Refusal::Library { status, text, id }.into_response();
    if let Some(allow) = parts.headers.get(axum::http::header::ALLOW) {
        explained
            .headers_mut()
            .insert(axum::http::header::ALLOW, allow.clone());
    }
    explained
}

async fn told(body: Body, status: StatusCode) -> String {
    let text = Limited::new(body, TOLD)
        .collect()
        .await
        .map(Collected::to_bytes);
    match text {
        Ok(text) if !text.is_empty() => String::from_utf8_lossy(&text).into_owned(),
        _ => status.canonical_reason().unwrap_or("refused").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_allowed_under_every_accepted_host_and_any_port() {
        let hosts = ["::1", "tool-gateway", "tools.example.com:8443"].map(str::to_owned);
        let expected = [
            "http://[::1]:*",
            "https://[::1]:*",
            "http://tool-gateway:*",
            "https://tool-gateway:*",
            "http://tools.example.com:*",
            "https://tools.example.com:*",
        ];
        assert_eq!(origins(&hosts), expected);
    }
}
