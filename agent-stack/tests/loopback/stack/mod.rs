//! The whole stack on loopback: every part in this process, an OTLP receiver beside it, fixtures in place of a cluster.

mod collector;

pub(crate) use collector::{Collected, Collector};

use agent_stack::agent::{self, AgentEvent, AgentParts, Chat, ModelEndpoint, TaskRequest};
use agent_stack::gateway::{self, Backends, FixedDocuments, GatewayParts, Registry};
use agent_stack::interpreter::{self, Python, Settings};
use agent_stack::telemetry::{SpanRelay, Telemetry, TelemetryConfig, resource};
use agent_stack::{catalog, http_client, model, server};
use axum::Router;
use k8s_openapi::api::core::v1::ConfigMap;
use portproof_proto::tool::Tool;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The trace the test stands for, and the span that is the parent of the task.
pub(crate) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
pub(crate) const ROOT: &str = "b7ad6b7169203331";

/// Deviations of the stack.
#[derive(Default)]
pub(crate) struct Faults {
    pub(crate) hidden: BTreeSet<String>,
    pub(crate) drop_trace_context: bool,
    pub(crate) changed_catalog: bool,
    /// The model takes requests and never answers.
    pub(crate) silent_model: bool,
}

/// A running stack.
pub(crate) struct Stack {
    agent: SocketAddr,
    emitters: Vec<Telemetry>,
    relay: SpanRelay,
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
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve_on(listener, router, shutdown.clone()));
    address
}

/// The Tool fixtures, their backends moved to the ports that `ports` names by Service.
fn tools(ports: &BTreeMap<&str, u16>) -> Vec<Tool> {
    let files = std::fs::read_dir(fixtures().join("tools")).unwrap();
    files
        .map(|file| moved(read_yaml(&file.unwrap().path()), ports))
        .collect()
}

fn moved(mut tool: Tool, ports: &BTreeMap<&str, u16>) -> Tool {
    let backend = &mut tool.spec.backend;
    if let Some(python) = &mut backend.python {
        python.port = ports[python.service_name.as_str()];
    }
    if let Some(http) = &mut backend.http {
        http.port = ports[http.service_name.as_str()];
    }
    tool
}

fn read_yaml<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn documents() -> FixedDocuments {
    let map: ConfigMap = read_yaml(&fixtures().join("documents/manuals.yaml"));
    FixedDocuments::new(BTreeMap::from([(
        map.metadata.name.unwrap(),
        map.data.unwrap(),
    )]))
}

/// A client for which the names of the Services lead to loopback.
fn backend_client() -> reqwest::Client {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let builder = http_client::builder(Duration::from_mins(1));
    builder
        .resolve("interpreter", loopback)
        .resolve("catalog", loopback)
        .build()
        .unwrap()
}

fn telemetry(service: &str, collector: &Collector) -> Telemetry {
    let resource = resource(service, |name| {
        (name == "CLUSTER_UID").then(|| "uid-b".to_owned())
    });
    Telemetry::start(TelemetryConfig {
        resource,
        endpoint: Some(collector.endpoint()),
    })
    .unwrap()
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

fn chat(url: String) -> Chat {
    let model = "portproof-planner".into();
    Chat::new(ModelEndpoint {
        url,
        host: Some("models.example.com".into()),
        model,
    })
    .unwrap()
}

fn planner(telemetry: &Telemetry) -> Router {
    model::router(model::ModelParts {
        name: "model-stable".into(),
        answers: model::Answers::Engine(model::Engine::RefPlannerV1),
        telemetry: telemetry.clone(),
    })
}

fn silent() -> Router {
    Router::new().fallback(std::future::pending::<()>)
}

/// The tools of the fixtures, with an interpreter and a catalog of their own behind them.
async fn registry(changed_catalog: bool, shutdown: &CancellationToken) -> Arc<Registry> {
    let interpreter = interpreter::router(python(), resource("interpreter", |_| None));
    let ports = BTreeMap::from([
        ("interpreter", start(interpreter, shutdown).await.port()),
        (
            "catalog",
            start(catalog::router(changed_catalog), shutdown)
                .await
                .port(),
        ),
    ]);
    let registry = Registry::default();
    registry.replace(tools(&ports));
    Arc::new(registry)
}

impl Stack {
    pub(crate) async fn start(faults: Faults) -> Self {
        let shutdown = CancellationToken::new();
        let collector = Collector::start(&shutdown).await;
        let [model, gateway, agent] =
            ["model-stable", "tool-gateway", "agent"].map(|service| telemetry(service, &collector));
        let relay = SpanRelay::new(Some(&collector.endpoint())).unwrap();
        let served = if faults.silent_model {
            silent()
        } else {
            planner(&model)
        };
        let model_url = url(start(served, &shutdown).await);
        let registry = registry(faults.changed_catalog, &shutdown).await;
        let gateway_parts = GatewayParts {
            registry,
            backends: Backends::new(backend_client(), Arc::new(documents()), relay.clone()),
            telemetry: gateway.clone(),
            allowed_hosts: vec!["127.0.0.1".into()],
            hidden: faults.hidden,
            drop_trace_context: faults.drop_trace_context,
        };
        let gateway_url =
            url(start(gateway::router(gateway_parts, shutdown.clone()), &shutdown).await);
        let agent_parts =
            AgentParts::new(chat(model_url), format!("{gateway_url}/mcp"), agent.clone());
        let address = start(agent::router(agent_parts.unwrap()), &shutdown).await;
        Self {
            agent: address,
            emitters: vec![agent, gateway, model],
            relay,
            collector,
            shutdown,
        }
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
            .post(format!("http://{}/v1/tasks", self.agent))
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
        for emitter in &self.emitters {
            emitter.shutdown().await;
        }
        self.relay.drain().await;
        self.shutdown.cancel();
        self.collector.spans()
    }
}
