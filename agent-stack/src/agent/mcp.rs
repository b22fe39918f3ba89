//! The agent's MCP client: the stateless revision first, the older handshake where a server knows no other.

use super::event::CallOutcome;
use crate::telemetry::{ActiveSpan, SpanKind, Telemetry};
use portproof_proto::telemetry as attributes;
use reqwest::Client;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig,
    ClientRequest, ErrorCode, Implementation, JsonObject, ProtocolVersion, RequestParamsMeta as _,
    ServerResult, Tool,
};
use rmcp::service::{
    ClientInitializeError, PeerRequestOptions, RequestHandle, RoleClient, RunningService,
    ServiceError,
};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientLifecycleMode, ClientServiceExt as _};
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long it may take beyond its limit to tell that a request is given up.
const FAREWELL: Duration = Duration::from_millis(500);

/// Why the tool gateway could not be used.
#[derive(Debug, thiserror::Error)]
pub enum McpError {
    /// No MCP server there.
    #[error("the tool gateway does not speak MCP")]
    Connect(#[source] Box<ClientInitializeError>),
    /// The tools cannot be listed.
    #[error("the tools cannot be listed")]
    List(#[source] Box<ServiceError>),
    /// A call got no result.
    #[error("the call of `{tool}` got no result")]
    Call {
        /// The tool.
        tool: String,
        /// What went wrong.
        #[source]
        source: Box<ServiceError>,
    },
    /// No answer in time.
    #[error("no answer within {} s", limit.as_secs_f64())]
    Timeout {
        /// The time it had.
        limit: Duration,
    },
}

impl McpError {
    /// What this makes of the call that met it.
    pub(super) fn outcome(&self) -> CallOutcome {
        match self {
            Self::Timeout { .. } => CallOutcome::Timeout,
            Self::List(source) | Self::Call { source, .. } => match source.as_ref() {
                ServiceError::McpError(_) => CallOutcome::Refused,
                ServiceError::Timeout { .. } => CallOutcome::Timeout,
                _ => CallOutcome::Transport,
            },
            Self::Connect(_) => CallOutcome::Transport,
        }
    }

    /// Whether another attempt may have a better end: the answer was lost or late, not unwelcome.
    pub(super) fn is_transient(&self) -> bool {
        matches!(
            self.outcome(),
            CallOutcome::Transport | CallOutcome::Timeout
        )
    }

    /// The class of error for a span: the JSON-RPC code where there is one.
    fn error_type(&self) -> String {
        match self {
            Self::List(source) | Self::Call { source, .. } => match source.as_ref() {
                ServiceError::McpError(error) => {
                    let ErrorCode(code) = error.code;
                    code.to_string()
                }
                _ => self.outcome().name().to_owned(),
            },
            _ => self.outcome().name().to_owned(),
        }
    }
}

/// What a tool returned.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ToolResult {
    /// The structured result.
    pub(super) structured: Option<Value>,
    /// The text beside it.
    pub(super) text: String,
    /// `ok`, unless the tool says that it failed; with the class of failure where the gateway tells it.
    pub(super) outcome: CallOutcome,
}

impl ToolResult {
    /// The structured result; without one the text.
    pub(super) fn value(&self) -> Value {
        self.structured
            .clone()
            .unwrap_or_else(|| Value::String(self.text.clone()))
    }
}

/// One attempt of a call.
pub(super) struct Attempt<'a> {
    pub(super) tool: &'a str,
    pub(super) arguments: &'a JsonObject,
    /// From 1.
    pub(super) number: u32,
    pub(super) limit: Duration,
}

/// A connection to the tool gateway.
pub(super) struct Tools {
    service: RunningService<RoleClient, ClientConfig>,
    protocol_version: String,
}

impl Tools {
    /// Connects to the MCP endpoint at `url`.
    pub(super) async fn connect(client: Client, url: &str) -> Result<Self, McpError> {
        let modern = ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            legacy_version: Some(ProtocolVersion::V_2025_11_25),
        };
        let service = match start(client.clone(), url, modern).await {
            // It answers `server/discover` and yet speaks older revisions only, which need their own handshake.
            Err(ClientInitializeError::NoCompatibleProtocolVersion { .. }) => {
                start(client, url, ClientLifecycleMode::Initialize).await
            }
            started => started,
        };
        let service = service.map_err(|error| McpError::Connect(Box::new(error)))?;
        let peer = service.peer_info();
        let protocol_version = peer
            .map(|peer| peer.protocol_version.to_string())
            .unwrap_or_default();
        Ok(Self {
            service,
            protocol_version,
        })
    }

    /// The MCP revision in use.
    pub(super) fn protocol_version(&self) -> &str {
        &self.protocol_version
    }

    /// Every tool, in the server's order.
    pub(super) async fn list(&self) -> Result<Vec<Tool>, McpError> {
        self.service
            .list_all_tools()
            .await
            .map_err(|error| McpError::List(Box::new(error)))
    }

    /// Asks until `until`, and then tells the server that nobody waits any more: dropping this would leave it working.
    async fn request(
        &self,
        attempt: &Attempt<'_>,
        until: Instant,
        span: &ActiveSpan,
    ) -> Result<ToolResult, ServiceError> {
        let mut params = CallToolRequestParams::new(attempt.tool.to_owned())
            .with_arguments(attempt.arguments.clone());
        if let Some(traceparent) = span.traceparent() {
            params.set_traceparent(&traceparent);
        }
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let left = until.saturating_duration_since(Instant::now());
        let handle = self
            .service
            .send_cancellable_request(request, PeerRequestOptions::with_timeout(left))
            .await?;
        span.set(attributes::JSONRPC_ID, handle.id.to_string());
        read(handle).await
    }
}

/// How to reach the tool gateway.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) client: Client,
    pub(super) url: String,
}

impl Endpoint {
    async fn connect(&self) -> Result<Tools, McpError> {
        Tools::connect(self.client.clone(), &self.url).await
    }

    /// Connects and lists the tools.
    pub(super) async fn discover(&self, limit: Duration) -> Result<(Tools, Vec<Tool>), McpError> {
        let found = async {
            let tools = self.connect().await?;
            let offered = tools.list().await?;
            Ok((tools, offered))
        };
        let found = tokio::time::timeout(limit, found).await;
        found.unwrap_or(Err(McpError::Timeout { limit }))
    }

    /// Makes one attempt of a call, with a CLIENT span below `parent` that the server continues. Without `tools` it
    /// connects anew.
    pub(super) async fn call(
        &self,
        tools: Option<&Tools>,
        attempt: &Attempt<'_>,
        telemetry: &Telemetry,
        parent: &ActiveSpan,
    ) -> Result<ToolResult, McpError> {
        let span = client_span(attempt, telemetry, parent);
        let until = Instant::now() + attempt.limit;
        let called = timeout_at(until + FAREWELL, self.send(tools, attempt, until, &span)).await;
        let result = called.unwrap_or(Err(McpError::Timeout {
            limit: attempt.limit,
        }));
        match &result {
            Ok(result) if result.outcome.is_error() => {
                span.fail(result.outcome.name(), "the tool reports a failure");
            }
            Ok(_) => {}
            Err(error) => span.fail(error.error_type(), error.to_string()),
        }
        result
    }

    async fn send(
        &self,
        tools: Option<&Tools>,
        attempt: &Attempt<'_>,
        until: Instant,
        span: &ActiveSpan,
    ) -> Result<ToolResult, McpError> {
        let too_late = || McpError::Timeout {
            limit: attempt.limit,
        };
        let fresh;
        let tools = if let Some(tools) = tools {
            tools
        } else {
            let connected = timeout_at(until, self.connect()).await;
            fresh = connected.unwrap_or_else(|_| Err(too_late()))?;
            &fresh
        };
        span.set(attributes::MCP_VERSION, tools.protocol_version.clone());
        let result = tools.request(attempt, until, span).await;
        result.map_err(|source| match source {
            ServiceError::Timeout { .. } => too_late(),
            source => McpError::Call {
                tool: attempt.tool.to_owned(),
                source: Box::new(source),
            },
        })
    }
}

fn client_span(attempt: &Attempt<'_>, telemetry: &Telemetry, parent: &ActiveSpan) -> ActiveSpan {
    let span = telemetry.span(
        format!("{} {}", attributes::TOOLS_CALL, attempt.tool),
        SpanKind::Client,
        parent.context(),
    );
    span.set(attributes::MCP_METHOD, attributes::TOOLS_CALL);
    span.set(attributes::OPERATION, attributes::EXECUTE_TOOL);
    span.set(attributes::TOOL_NAME, attempt.tool.to_owned());
    span.set(attributes::ATTEMPT, i64::from(attempt.number));
    span
}

async fn start(
    client: Client,
    url: &str,
    lifecycle: ClientLifecycleMode,
) -> Result<RunningService<RoleClient, ClientConfig>, ClientInitializeError> {
    let config = StreamableHttpClientTransportConfig::with_uri(url);
    let transport = StreamableHttpClientTransport::with_client(client, config);
    let name = Implementation::new(super::AGENT, env!("CARGO_PKG_VERSION"));
    let client = ClientConfig::new(ClientCapabilities::default(), name)
        .with_protocol_version(ProtocolVersion::V_2025_11_25);
    client.serve_with_lifecycle(transport, lifecycle).await
}

async fn read(handle: RequestHandle<RoleClient>) -> Result<ToolResult, ServiceError> {
    match handle.await_response().await? {
        ServerResult::CallToolResult(result) => Ok(tool_result(result)),
        _ => Err(ServiceError::UnexpectedResponse),
    }
}

fn tool_result(result: CallToolResult) -> ToolResult {
    let outcome = outcome(&result);
    let texts: Vec<_> = result
        .content
        .iter()
        .filter_map(|content| content.as_text())
        .map(|text| text.text.as_str())
        .collect();
    ToolResult {
        text: texts.join("\n"),
        structured: result.structured_content,
        outcome,
    }
}

/// A failure is the tool's own, unless the gateway says that it found the tool late or its result not as promised.
fn outcome(result: &CallToolResult) -> CallOutcome {
    if result.is_error != Some(true) {
        return CallOutcome::Ok;
    }
    let told = result
        .meta
        .as_ref()
        .and_then(|meta| meta.0.get(attributes::ERROR_META))
        .and_then(Value::as_str);
    [CallOutcome::Timeout, CallOutcome::InvalidResult]
        .into_iter()
        .find(|outcome| told == Some(outcome.name()))
        .unwrap_or(CallOutcome::ToolError)
}

#[cfg(test)]
mod tests;
