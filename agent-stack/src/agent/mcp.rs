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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{http_client, server};
    use rmcp::model::{ServerCapabilities, ServerConfig};
    use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
    use rmcp::transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService,
    };
    use rmcp::{ErrorData, ServerHandler};
    use std::borrow::Cow;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    /// A server from before the stateless revision.
    #[derive(Clone)]
    struct Old;

    impl ServerHandler for Old {
        fn get_info(&self) -> ServerConfig {
            ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
        }

        fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
            Cow::Borrowed(&[ProtocolVersion::V_2025_11_25])
        }

        async fn call_tool(
            &self,
            params: CallToolRequestParams,
            _context: rmcp::service::RequestContext<rmcp::RoleServer>,
        ) -> Result<rmcp::model::CallToolResponse, ErrorData> {
            match params.name.as_ref() {
                "text" => Ok(
                    CallToolResult::success(vec![rmcp::model::ContentBlock::text("plain")]).into(),
                ),
                _ => Err(ErrorData::invalid_params("no such tool", None)),
            }
        }
    }

    async fn old_server(shutdown: &CancellationToken) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let config =
            StreamableHttpServerConfig::default().with_cancellation_token(shutdown.clone());
        let service = StreamableHttpService::new(
            || Ok(Old),
            Arc::new(LocalSessionManager::default()),
            config,
        );
        let router = axum::Router::new().nest_service("/mcp", service);
        tokio::spawn(server::serve_on(listener, router, shutdown.clone()));
        url
    }

    fn client() -> Client {
        http_client::client(Duration::from_secs(30)).unwrap()
    }

    #[tokio::test]
    async fn a_server_that_knows_only_the_older_handshake_can_be_used() {
        let shutdown = CancellationToken::new();
        let tools = Tools::connect(client(), &old_server(&shutdown).await)
            .await
            .unwrap();
        assert_eq!(tools.protocol_version(), "2025-11-25");
        let telemetry = Telemetry::disabled("agent");
        let span = telemetry.span("x", SpanKind::Internal, &crate::telemetry::Context::new());
        let result = tools
            .call("text", JsonObject::new(), &telemetry, &span)
            .await
            .unwrap();
        assert_eq!(
            result,
            ToolResult {
                value: Value::from("plain"),
                is_error: false
            }
        );
        let error = tools
            .call("nothing", JsonObject::new(), &telemetry, &span)
            .await
            .unwrap_err();
        assert_eq!(error.error_type(), "-32602");
        shutdown.cancel();
    }

    #[tokio::test]
    async fn what_is_no_mcp_server_is_an_error() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        tokio::spawn(server::serve_on(
            listener,
            axum::Router::new(),
            shutdown.clone(),
        ));
        assert!(matches!(
            Tools::connect(client(), &url).await,
            Err(McpError::Connect(_))
        ));
        shutdown.cancel();
    }
}
