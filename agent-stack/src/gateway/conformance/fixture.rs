//! The server of the conformance suite: what is asked of it goes to the module that has the answer.

#![expect(
    deprecated,
    reason = "logging and subscriptions to resources are on their way out of MCP, and the suite asks for them"
)]

use super::{content, echo, input, live, prompts, resources, tools};
use crate::gateway::endpoint::{Era, Sessions, Settings, endpoint};
use crate::gateway::mcp::{ToolServer, refuse_cursor};
use crate::server;
use axum::Router;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult,
    GetPromptRequestParams, GetPromptResponse, Implementation, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities,
    ServerConfig, SetLevelRequestParams, SubscribeRequestParams, SubscriptionFilter, Tool,
    UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use rmcp::{ErrorData, ServerHandler};
use std::borrow::Cow;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How long a client may keep what this server says, in milliseconds. It never changes.
const TTL_MS: u64 = 60_000;
/// Names under which a suite on the same machine reaches the server.
const HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The routes `/mcp` and `/healthz` of a server for the conformance suite, with `echoes` tools that echo.
pub(in crate::gateway) fn router(echoes: usize, era: Era, shutdown: CancellationToken) -> Router {
    let fixture = Fixture::new(echo::server(echoes, era), era);
    let settings = Settings {
        era,
        allowed_hosts: HOSTS.map(str::to_owned).to_vec(),
        sessions: Sessions::Legacy,
    };
    let router = endpoint(fixture, settings, shutdown);
    server::with_health(router, server::always_ready())
}

#[derive(Clone)]
struct Fixture {
    era: Era,
    echoes: ToolServer,
    input: Arc<input::Questions>,
    listeners: Arc<live::Listeners>,
}

impl Fixture {
    fn new(echoes: ToolServer, era: Era) -> Self {
        Self {
            era,
            echoes,
            input: Arc::default(),
            listeners: Arc::default(),
        }
    }
}

impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_completions()
            .enable_logging()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_tools()
            .enable_tool_list_changed()
            .build();
        let name = Implementation::new("portproof-conformance-fixture", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(capabilities).with_server_info(name)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(self.era.versions())
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::find(name).or_else(|| self.echoes.get_tool(name))
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut list = self.echoes.list_tools(page, context).await?;
        list.tools.extend(tools::all());
        list.tools.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(list.with_ttl_ms(TTL_MS))
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if let Some(result) = content::answer(&params) {
            return Ok(result.into());
        }
        if let Some(tool) = input::InputTool::of(&params.name) {
            return self.input.answer(tool, &params, &context.meta);
        }
        match live::LiveTool::of(&params.name) {
            Some(tool) => live::answer(tool, params, context, &self.listeners)
                .await
                .map(Into::into),
            None => self.echoes.call_tool(params, context).await,
        }
    }

    async fn list_resources(
        &self,
        page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        refuse_cursor(page)?;
        Ok(ListResourcesResult::with_all_items(resources::all())
            .with_ttl_ms(TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn list_resource_templates(
        &self,
        page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        refuse_cursor(page)?;
        Ok(
            ListResourceTemplatesResult::with_all_items(resources::templates())
                .with_ttl_ms(TTL_MS)
                .with_cache_scope(CacheScope::Public),
        )
    }

    async fn read_resource(
        &self,
        params: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let read = resources::read(&params.uri)?;
        Ok(read
            .with_ttl_ms(TTL_MS)
            .with_cache_scope(CacheScope::Public)
            .into())
    }

    async fn list_prompts(
        &self,
        page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        refuse_cursor(page)?;
        Ok(ListPromptsResult::with_all_items(prompts::all())
            .with_ttl_ms(TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn get_prompt(
        &self,
        params: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        prompts::get(&params)
    }

    async fn complete(
        &self,
        params: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        prompts::complete(&params)
    }

    async fn set_level(
        &self,
        _params: SetLevelRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        // Every level is sent: a client may get more than it asked for, and nothing is logged unasked.
        Ok(())
    }

    async fn subscribe(
        &self,
        params: SubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        // The resources never change, so there is nothing to remember.
        resources::read(&params.uri).map(drop)
    }

    async fn unsubscribe(
        &self,
        params: UnsubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        resources::read(&params.uri).map(drop)
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.supported_by(&self.get_info().capabilities))
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let _listening = self.listeners.add(subscription.sink().clone());
        subscription.cancelled().await;
        Ok(())
    }
}
