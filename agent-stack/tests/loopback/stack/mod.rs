//! The stack of `agent-stack all` with an OTLP receiver beside it.

mod collector;

pub(crate) use collector::{Collected, Collector};

use agent_stack::agent::{AgentEvent, TaskRequest};
use agent_stack::all::{self, Deviations, Fixtures, Options};
use agent_stack::http_client;
use agent_stack::interpreter::{Python, Settings};
use agent_stack::model::Engine;
use agent_stack::server::Server;
use axum::{Json, Router};
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The trace the test stands for, and the span that is the parent of the task.
pub(crate) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
pub(crate) const ROOT: &str = "b7ad6b7169203331";

/// A running stack.
pub(crate) struct Stack {
    roles: all::Stack,
    collector: Collector,
    shutdown: CancellationToken,
}

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/fixtures")
}

pub(crate) fn python() -> Python {
    let launcher = PathBuf::from(env!("CARGO_BIN_EXE_agent-stack"));
    let python = std::env::var_os("PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    Python::new(Settings::new(launcher, python))
}

/// Serves a router on a port of its own.
pub(crate) async fn start(router: Router, shutdown: &CancellationToken) -> SocketAddr {
    serve(Server::new(router), shutdown).await
}

/// Serves on a port of its own.
pub(crate) async fn serve(server: Server, shutdown: &CancellationToken) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server.serve_on(listener, shutdown.clone()));
    address
}

/// A model that plans this program and nothing else.
pub(crate) fn plans(code: &str) -> Router {
    let plan = json!({"steps": [{"id": "a", "tool": "run_python", "arguments": {"code": code}}]});
    let message = json!({"role": "assistant", "content": plan.to_string()});
    let answer = json!({"id": "c", "object": "chat.completion", "created": 0, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}});
    Router::new().fallback(move || async move { Json(answer) })
}

/// The stack as it is shipped.
pub(crate) fn options() -> Options {
    Options {
        cluster_uid: Some("uid-b".into()),
        ..Options::new(Fixtures::read(&fixtures()).unwrap(), python())
    }
}

impl Stack {
    /// The shipped stack.
    pub(crate) async fn shipped() -> Self {
        Self::with(options()).await
    }

    pub(crate) async fn with_engine(engine: Engine) -> Self {
        Self::with(Options {
            engine,
            ..options()
        })
        .await
    }

    pub(crate) async fn deviating(deviations: Deviations) -> Self {
        Self::with(Options {
            deviations,
            ..options()
        })
        .await
    }

    /// The stack with a model server of the test's own.
    pub(crate) async fn with_model(model: Router) -> Self {
        let shutdown = CancellationToken::new();
        let model = start(model, &shutdown).await;
        let options = Options {
            model_url: Some(format!("http://{model}")),
            ..options()
        };
        Self::begin(options, shutdown).await
    }

    /// The stack with other options.
    pub(crate) async fn with(options: Options) -> Self {
        Self::begin(options, CancellationToken::new()).await
    }

    async fn begin(options: Options, shutdown: CancellationToken) -> Self {
        let collector = Collector::start(&shutdown).await;
        let options = Options {
            endpoint: Some(collector.endpoint()),
            ..options
        };
        Self {
            roles: all::Stack::start(options).await.unwrap(),
            collector,
            shutdown,
        }
    }

    pub(crate) const fn addresses(&self) -> &all::Addresses {
        self.roles.addresses()
    }

    /// Hands the agent a task and waits for its last event.
    pub(crate) async fn ask(&self, prompt: &str) -> Vec<AgentEvent> {
        self.ask_within(prompt, 120).await
    }

    pub(crate) async fn ask_within(&self, prompt: &str, deadline_seconds: u32) -> Vec<AgentEvent> {
        let request = TaskRequest {
            task_id: "t-1".into(),
            prompt: prompt.into(),
            deadline_seconds,
        };
        let client = http_client::client(Duration::from_secs(150)).unwrap();
        let sent = client
            .post(format!("http://{}/v1/tasks", self.addresses().agent))
            .json(&request);
        let answer = sent
            .header("traceparent", format!("00-{TRACE}-{ROOT}-01"))
            .send()
            .await
            .unwrap();
        let body = answer.text().await.unwrap();
        body.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Stops the stack and returns every span it emitted.
    pub(crate) async fn stop(self) -> Vec<Collected> {
        self.roles.stop().await;
        let spans = self.collector.spans();
        self.shutdown.cancel();
        spans
    }
}
