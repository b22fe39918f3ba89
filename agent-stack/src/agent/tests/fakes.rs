//! A model and a tool gateway that do what a test says.

use crate::agent::{AgentEvent, AgentParts, Chat, ModelEndpoint, RetryPolicy, TaskRequest, router};
use crate::authorities::Authorities;
use crate::model::openai::{ChatRequest, ChatResponse, Choice, Message, Role, Usage};
use crate::telemetry::{Capture, resource};
use crate::{http_client, server};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures::future::BoxFuture;
use opentelemetry_proto::tonic::trace::v1::Span;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ListToolsResult,
    PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, ServerHandler};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Bounds that let a test see several attempts soon.
pub(super) const HASTY: RetryPolicy = RetryPolicy {
    attempts: 3,
    pause: Duration::from_millis(5),
    limit: Duration::from_secs(30),
};

type Called = Result<CallToolResult, ErrorData>;

/// What a tool does.
pub(super) type Behaviour = Arc<dyn Fn(String) -> BoxFuture<'static, Called> + Send + Sync>;

pub(super) fn behaves<F, T>(behaviour: F) -> Behaviour
where
    F: Fn(String) -> T + Send + Sync + 'static,
    T: Future<Output = CallToolResult> + Send + 'static,
{
    Arc::new(move |tool| {
        let called = behaviour(tool);
        Box::pin(async move { Ok(called.await) })
    })
}

/// A tool gateway with two tools, `count` that promises a number and `shout` that promises nothing.
#[derive(Clone)]
struct Gateway {
    behaviour: Behaviour,
}

fn tools() -> Vec<Tool> {
    let count =
        json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    let schema = |value: &Value| Arc::new(value.as_object().unwrap().clone());
    let object = schema(&json!({"type": "object"}));
    vec![
        Tool::new("count", "Counts.", Arc::clone(&object)).with_raw_output_schema(schema(&count)),
        Tool::new("shout", "Shouts.", object),
    ]
}

impl ServerHandler for Gateway {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(&[ProtocolVersion::V_2026_07_28])
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools()))
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let called = (self.behaviour)(params.name.to_string()).await;
        called.map(CallToolResponse::from)
    }
}

/// Refuses the first tool calls with 503, as a proxy does whose backend is away.
async fn unavailable(State(left): State<Arc<AtomicU32>>, request: Request, next: Next) -> Response {
    let is_call = request
        .headers()
        .get("mcp-method")
        .is_some_and(|method| method == "tools/call");
    let spend = |left: u32| left.checked_sub(1);
    if is_call
        && left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend)
            .is_ok()
    {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    next.run(request).await
}

pub(super) fn gateway(behaviour: Behaviour, refusals: u32) -> Router {
    let handler = Gateway { behaviour };
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true);
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(handler.clone()), sessions, config);
    Router::new()
        .nest_service("/mcp", service)
        .layer(middleware::from_fn_with_state(
            Arc::new(AtomicU32::new(refusals)),
            unavailable,
        ))
}

/// What a model says to its first, second, ... request; the last entry to all further ones.
pub(super) type Script = Vec<(StatusCode, String)>;

pub(super) fn says(text: impl Into<String>) -> (StatusCode, String) {
    (StatusCode::OK, text.into())
}

pub(super) fn plan(steps: &Value) -> (StatusCode, String) {
    says(json!({"steps": steps}).to_string())
}

#[derive(Clone)]
struct Model {
    script: Arc<Script>,
    asked: Arc<AtomicU32>,
}

async fn chat(State(model): State<Model>, Json(request): Json<ChatRequest>) -> Response {
    let turn = model.asked.fetch_add(1, Ordering::SeqCst) as usize;
    let turn = turn.min(model.script.len() - 1);
    let (status, text) = model.script[turn].clone();
    let completion = ChatResponse {
        choices: vec![Choice {
            index: 0,
            message: Message::text(Role::Assistant, text),
            finish_reason: "stop".into(),
        }],
        ..empty(&request.model)
    };
    (status, Json(completion)).into_response()
}

fn empty(model: &str) -> ChatResponse {
    serde_json::from_value(
        json!({"id": "c", "object": "chat.completion", "created": 0, "model": model,
        "choices": [], "usage": Usage::default()}),
    )
    .unwrap()
}

/// An agent between a model and a tool gateway.
pub(super) struct Bench {
    pub(super) agent: SocketAddr,
    asked: Arc<AtomicU32>,
    capture: Capture,
    shutdown: CancellationToken,
}

/// How a bench is set up.
pub(super) struct Setup {
    pub(super) script: Script,
    pub(super) behaviour: Behaviour,
    /// Tool calls that are refused with 503 before one passes.
    pub(super) refusals: u32,
    pub(super) policy: RetryPolicy,
}

async fn serve(router: Router, shutdown: &CancellationToken) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve_on(listener, router, shutdown.clone()));
    address
}

impl Bench {
    pub(super) async fn start(setup: Setup) -> Self {
        let gateway = gateway(setup.behaviour, setup.refusals);
        Self::scripted(setup.script, gateway, setup.policy).await
    }

    pub(super) async fn scripted(script: Script, gateway: Router, policy: RetryPolicy) -> Self {
        let asked = Arc::new(AtomicU32::new(0));
        let model = Model {
            script: Arc::new(script),
            asked: Arc::clone(&asked),
        };
        let model = Router::new()
            .route("/v1/chat/completions", post(chat))
            .with_state(model);
        Self::between(model, gateway, policy, asked).await
    }

    pub(super) async fn between(
        model: Router,
        gateway: Router,
        policy: RetryPolicy,
        asked: Arc<AtomicU32>,
    ) -> Self {
        let shutdown = CancellationToken::new();
        let capture = Capture::new(&resource("agent", |_| None));
        let chat = Chat::new(ModelEndpoint {
            authorities: Authorities::Public,
            url: format!("http://{}", serve(model, &shutdown).await),
            host: None,
            model: "m".into(),
            key: None,
        });
        let gateway = format!("http://{}/mcp", serve(gateway, &shutdown).await);
        let parts = AgentParts::new(chat.unwrap(), gateway, capture.telemetry().clone());
        let agent = serve(router(parts.unwrap().with_policy(policy)), &shutdown).await;
        Self {
            agent,
            asked,
            capture,
            shutdown,
        }
    }

    /// Hands out a task and waits for its end.
    pub(super) async fn ask(&self, deadline_seconds: u32) -> Vec<AgentEvent> {
        let answer = self.post(deadline_seconds).await;
        let lines = answer.text().await.unwrap();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub(super) async fn post(&self, deadline_seconds: u32) -> reqwest::Response {
        let task = TaskRequest {
            task_id: "t".into(),
            prompt: "Do it.".into(),
            deadline_seconds,
        };
        let client = http_client::client(Duration::from_mins(2)).unwrap();
        let url = format!("http://{}/v1/tasks", self.agent);
        client.post(url).json(&task).send().await.unwrap()
    }

    /// How often the model was asked.
    pub(super) fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    /// Every span of the agent.
    pub(super) fn stop(self) -> Vec<Span> {
        self.shutdown.cancel();
        let export = Capture::decode(&self.capture.encode()).unwrap();
        let scopes = export
            .resource_spans
            .into_iter()
            .flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

/// Counts the calls of each tool.
#[derive(Clone, Default)]
pub(super) struct Counter(Arc<Mutex<BTreeMap<String, u32>>>);

impl Counter {
    pub(super) fn add(&self, tool: &str) {
        *self.0.lock().unwrap().entry(tool.to_owned()).or_default() += 1;
    }

    pub(super) fn of(&self, tool: &str) -> u32 {
        self.0
            .lock()
            .unwrap()
            .get(tool)
            .copied()
            .unwrap_or_default()
    }
}
