//! The MCP face of the tool gateway; what a call does is in [`super::call`].

use super::call::{CallRequest, Calls};
use super::registry::ServedTool;
use rmcp::ErrorData;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, Implementation, JsonObject, ListToolsResult,
    PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// Newest revision first: clients that take the first one they know get the stateless one.
const VERSIONS: [ProtocolVersion; 3] = [
    ProtocolVersion::V_2026_07_28,
    ProtocolVersion::V_2025_11_25,
    ProtocolVersion::V_2025_06_18,
];

/// Serves the registry over MCP.
#[derive(Clone)]
pub(super) struct ToolServer {
    calls: Arc<Calls>,
}

impl ToolServer {
    pub(super) fn new(calls: Calls) -> Self {
        Self {
            calls: Arc::new(calls),
        }
    }
}

impl ServerHandler for ToolServer {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build()).with_server_info(
            Implementation::new("portproof-tool-gateway", env!("CARGO_PKG_VERSION")),
        )
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(&VERSIONS)
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = self
            .calls
            .served()
            .values()
            .map(|tool| descriptor(tool))
            .collect();
        Ok(ListToolsResult::with_all_items(tools))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.calls.served().get(name).map(|tool| descriptor(tool))
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let request = CallRequest {
            tool: params.name.to_string(),
            arguments: params
                .arguments
                .map_or_else(|| Value::Object(JsonObject::new()), Value::Object),
            id: context.id.to_string(),
            protocol_version: context
                .protocol_version()
                .map(|version| version.to_string()),
            traceparent: context.meta.get_traceparent().map(str::to_owned),
        };
        self.calls.call(request).await.map(CallToolResponse::from)
    }
}

/// The descriptor that clients see: exactly what the `Tool` object says.
fn descriptor(tool: &ServedTool) -> Tool {
    let spec = &tool.spec;
    let mut descriptor = Tool::new(
        spec.name.clone(),
        spec.description.clone(),
        object(&spec.input_schema),
    );
    if let Some(title) = &spec.title {
        descriptor = descriptor.with_title(title.clone());
    }
    if let Some(output) = &spec.output_schema {
        descriptor = descriptor.with_raw_output_schema(object(output));
    }
    descriptor
}

/// Compiled schemas are objects, so nothing is lost here.
fn object(schema: &Value) -> Arc<JsonObject> {
    Arc::new(schema.as_object().cloned().unwrap_or_default())
}
