//! The MCP face of the tool gateway; what a call does is in [`super::call`].

use super::call::{CallRequest, Calls};
use super::endpoint::Era;
use rmcp::ErrorData;
use rmcp::ServerHandler;
use rmcp::model::{
    CacheScope, CallToolRequestMethod, CallToolRequestParams, CallToolResponse,
    CompleteRequestMethod, CompleteRequestParams, CompleteResult, ConstString as _, CustomRequest,
    CustomResult, DiscoverResult, ErrorCode, Implementation, JsonObject, ListPromptsRequestMethod,
    ListPromptsResult, ListResourceTemplatesRequestMethod, ListResourceTemplatesResult,
    ListResourcesRequestMethod, ListResourcesResult, ListToolsRequestMethod, ListToolsResult,
    PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// How long a client may keep what this server says of itself, in milliseconds: a change of the tools is to be seen
/// within a second, the time it takes to get here included.
const TTL_MS: u64 = 500;

/// Serves the registry over MCP.
#[derive(Clone)]
pub(super) struct ToolServer {
    calls: Arc<Calls>,
    era: Era,
}

impl ToolServer {
    pub(super) fn new(calls: Calls, era: Era) -> Self {
        Self {
            calls: Arc::new(calls),
            era,
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
        Cow::Borrowed(self.era.versions())
    }

    async fn discover(
        &self,
        _context: RequestContext<RoleServer>,
    ) -> Result<DiscoverResult, ErrorData> {
        let mut found =
            DiscoverResult::from_server_info(self.era.versions().to_vec(), self.get_info());
        found.ttl_ms = TTL_MS;
        found.cache_scope = CacheScope::Public;
        Ok(found)
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        refuse_cursor(page)?;
        Ok(ListToolsResult::with_all_items(self.calls.descriptors())
            .with_ttl_ms(TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.calls.tool(name).map(|tool| tool.descriptor.clone())
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
        self.calls
            .call(request, &context.ct)
            .await
            .map(CallToolResponse::from)
    }

    /// The library hands over here what it cannot read, under whatever method.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        Err(match request.method.as_str() {
            CallToolRequestMethod::VALUE => wrong_params::<CallToolRequestParams>(request),
            ListToolsRequestMethod::VALUE => wrong_params::<PaginatedRequestParams>(request),
            _ => unknown_method(&request.method),
        })
    }

    // The library answers these with empty lists; this server does not have them and does not say it has.

    async fn list_prompts(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Err(unknown_method(ListPromptsRequestMethod::VALUE))
    }

    async fn list_resources(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Err(unknown_method(ListResourcesRequestMethod::VALUE))
    }

    async fn list_resource_templates(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Err(unknown_method(ListResourceTemplatesRequestMethod::VALUE))
    }

    async fn complete(
        &self,
        _params: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(unknown_method(CompleteRequestMethod::VALUE))
    }
}

/// The list has one page, so no cursor was ever given out.
pub(super) fn refuse_cursor(page: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    match page.and_then(|page| page.cursor) {
        None => Ok(()),
        Some(cursor) => Err(ErrorData::invalid_params(
            format!("Invalid cursor: `{cursor}` was not given out by this server"),
            None,
        )),
    }
}

fn unknown_method(method: &str) -> ErrorData {
    ErrorData::new(
        ErrorCode::METHOD_NOT_FOUND,
        format!("Method not found: {method}"),
        None,
    )
}

/// Says what is wrong with the parameters of a method that there is.
fn wrong_params<P: DeserializeOwned>(request: CustomRequest) -> ErrorData {
    let CustomRequest { method, params, .. } = request;
    let reason = match serde_json::from_value::<P>(params.unwrap_or_default()) {
        Err(error) => error.to_string(),
        Ok(_) => "its `_meta` cannot be read".to_owned(),
    };
    ErrorData::invalid_params(format!("Invalid params of {method}: {reason}"), None)
}
