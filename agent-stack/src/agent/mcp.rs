//! The agent's MCP client: the stateless revision first, the older handshake where a server knows no other.

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
}

impl McpError {
    /// The class of error for a span: the JSON-RPC code where there is one.
    fn error_type(&self) -> String {
        let (Self::List(source) | Self::Call { source, .. }) = self else {
            return "transport".to_owned();
        };
        match source.as_ref() {
            ServiceError::McpError(error) => {
                let ErrorCode(code) = error.code;
                code.to_string()
            }
            ServiceError::Timeout { .. } => "timeout".to_owned(),
            _ => "transport".to_owned(),
        }
    }
}

/// What a tool returned.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ToolResult {
    /// The structured result; without one the text.
    pub(super) value: Value,
    /// Whether the tool says that it failed.
    pub(super) is_error: bool,
}

/// A connection to the tool gateway.
pub(super) struct Tools {
    service: RunningService<RoleClient, ClientConfig>,
    protocol_version: String,
}

impl Tools {
    /// Connects to the MCP endpoint at `url`.
    pub(super) async fn connect(client: Client, url: &str) -> Result<Self, McpError> {
        let config = StreamableHttpClientTransportConfig::with_uri(url);
        let transport = StreamableHttpClientTransport::with_client(client, config);
        let name = Implementation::new(super::AGENT, env!("CARGO_PKG_VERSION"));
        let lifecycle = ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            legacy_version: Some(ProtocolVersion::V_2025_11_25),
        };
        let service = ClientConfig::new(ClientCapabilities::default(), name)
            .serve_with_lifecycle(transport, lifecycle)
            .await
            .map_err(|error| McpError::Connect(Box::new(error)))?;
        let protocol_version = service
            .peer_info()
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

    /// Calls a tool, with a CLIENT span below `parent` that the server continues.
    pub(super) async fn call(
        &self,
        tool: &str,
        arguments: JsonObject,
        telemetry: &Telemetry,
        parent: &ActiveSpan,
    ) -> Result<ToolResult, McpError> {
        let span = telemetry.span(
            format!("{} {tool}", attributes::TOOLS_CALL),
            SpanKind::Client,
            parent.context(),
        );
        span.set(attributes::MCP_METHOD, attributes::TOOLS_CALL);
        span.set(attributes::MCP_VERSION, self.protocol_version.clone());
        span.set(attributes::OPERATION, attributes::EXECUTE_TOOL);
        span.set(attributes::TOOL_NAME, tool.to_owned());
        let result = self.request(tool, arguments, &span).await;
        let result = result.map_err(|source| McpError::Call {
            tool: tool.to_owned(),
            source: Box::new(source),
        });
        match &result {
            Ok(result) if result.is_error => span.fail("tool_error", "the tool reports a failure"),
            Ok(_) => {}
            Err(error) => span.fail(error.error_type(), error.to_string()),
        }
        result
    }

    async fn request(
        &self,
        tool: &str,
        arguments: JsonObject,
        span: &ActiveSpan,
    ) -> Result<ToolResult, ServiceError> {
        let mut params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        if let Some(traceparent) = span.traceparent() {
            params.set_traceparent(&traceparent);
        }
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let handle = self
            .service
            .send_cancellable_request(request, PeerRequestOptions::no_options())
            .await?;
        span.set(attributes::JSONRPC_ID, handle.id.to_string());
        read(handle).await
    }
}

async fn read(handle: RequestHandle<RoleClient>) -> Result<ToolResult, ServiceError> {
    match handle.await_response().await? {
        ServerResult::CallToolResult(result) => Ok(tool_result(result)),
        _ => Err(ServiceError::UnexpectedResponse),
    }
}

fn tool_result(result: CallToolResult) -> ToolResult {
    let is_error = result.is_error == Some(true);
    let texts = result
        .content
        .iter()
        .filter_map(|content| content.as_text());
    let text = || {
        texts
            .map(|text| text.text.as_str())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let value = result
        .structured_content
        .unwrap_or_else(|| Value::String(text()));
    ToolResult { value, is_error }
}
