use super::*;
use crate::{http_client, server};
use rmcp::model::{ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, ServerHandler};
use std::borrow::Cow;
use std::sync::Arc;
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
            "text" => {
                Ok(CallToolResult::success(vec![rmcp::model::ContentBlock::text("plain")]).into())
            }
            _ => Err(ErrorData::invalid_params("no such tool", None)),
        }
    }
}

async fn old_server(shutdown: &CancellationToken) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let config = StreamableHttpServerConfig::default().with_cancellation_token(shutdown.clone());
    let service =
        StreamableHttpService::new(|| Ok(Old), Arc::new(LocalSessionManager::default()), config);
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
    let url = old_server(&shutdown).await;
    let tools = Tools::connect(client(), &url).await.unwrap();
    assert_eq!(tools.protocol_version(), "2025-11-25");
    let telemetry = Telemetry::disabled("agent");
    let span = telemetry.span("x", SpanKind::Internal, &crate::telemetry::Context::new());
    let endpoint = Endpoint {
        client: client(),
        url: url.clone(),
    };
    let arguments = JsonObject::new();
    let attempt = |tool| Attempt {
        tool,
        arguments: &arguments,
        number: 1,
        limit: Duration::from_secs(30),
    };
    let plain = ToolResult {
        structured: None,
        text: "plain".into(),
        outcome: CallOutcome::Ok,
    };
    for tools in [Some(&tools), None] {
        let text = attempt("text");
        let called = endpoint.call(tools, &text, &telemetry, &span);
        assert_eq!(called.await.unwrap(), plain);
    }
    let nothing = attempt("nothing");
    let refused = endpoint.call(Some(&tools), &nothing, &telemetry, &span);
    let error = refused.await.unwrap_err();
    assert_eq!(
        (error.error_type().as_str(), error.outcome()),
        ("-32602", CallOutcome::Refused)
    );
    shutdown.cancel();
}

#[test]
fn the_class_of_a_failure_is_read_from_the_result_and_not_from_its_text() {
    let failed = |class: Option<&str>| {
        let mut result = CallToolResult::error(vec![rmcp::model::ContentBlock::text("timeout")]);
        result.meta = class.map(|class| {
            serde_json::from_value(serde_json::json!({attributes::ERROR_META: class})).unwrap()
        });
        tool_result(result).outcome
    };
    assert_eq!(failed(Some("timeout")), CallOutcome::Timeout);
    assert_eq!(failed(Some("invalid_result")), CallOutcome::InvalidResult);
    for told in [None, Some("backend"), Some("ok"), Some("transport")] {
        assert_eq!(failed(told), CallOutcome::ToolError, "{told:?}");
    }
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
