//! The roles of the stack in one process.

use super::fixtures::Fixtures;
use crate::agent::{self, AgentParts, Chat, ChatError, ModelEndpoint, RetryPolicy};
use crate::api_key::KeyFile;
use crate::authorities::Authorities;
use crate::catalog;
use crate::gateway::{self, Backends, FixedDocuments, GatewayParts, Registry};
use crate::http_client::{self, HttpError};
use crate::interpreter::{self, Python};
use crate::model::{self, Answers, Engine, ModelParts};
use crate::server::{Server, ServerError};
use crate::telemetry::{
    FLUSH_LIMIT, RelayError, SpanRelay, Telemetry, TelemetryConfig, TelemetryError, resource,
};
use clap::Args;
use opentelemetry_sdk::Resource;
use portproof_proto::names::Part;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longest time one call of a tool's backend may take (`Tool.spec.timeoutSeconds` is at most 300), with some room.
const CALL_LIMIT: Duration = Duration::from_secs(310);
const CATALOG: &str = "catalog";
const INTERPRETER: &str = "interpreter";

/// Why the stack cannot run.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// A port is taken or may not be used.
    #[error("the {role} cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// The role.
        role: &'static str,
        /// The port.
        port: u16,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// Spans cannot be exported.
    #[error("telemetry cannot be set up")]
    Telemetry(#[from] TelemetryError),
    /// Spans of the interpreter cannot be relayed.
    #[error("spans of the interpreter cannot be relayed")]
    Relay(#[from] RelayError),
    /// The model cannot be asked.
    #[error("the model's address cannot be used")]
    Model(#[from] ChatError),
    /// A client cannot be set up.
    #[error("a client cannot be set up")]
    Client(#[from] HttpError),
    /// A role stopped.
    #[error("the {role} stopped")]
    Stopped {
        /// The role.
        role: &'static str,
        /// Why.
        #[source]
        source: Option<ServerError>,
    },
}

/// Ports of the roles on loopback; 0 takes a free one.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Ports {
    /// Port of the agent.
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub agent_port: u16,
    /// Port of the tool gateway.
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub gateway_port: u16,
    /// Port of the model server.
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub model_port: u16,
    /// Port of the interpreter.
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub interpreter_port: u16,
    /// Port of the catalog.
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub catalog_port: u16,
}

/// Deviations that a check must notice.
#[derive(Clone, Debug, Default)]
pub struct Deviations {
    /// Tools that the gateway does not serve.
    pub hidden: BTreeSet<String>,
    /// Whether the gateway forgets the trace context.
    pub drop_trace_context: bool,
    /// Whether the catalog serves other prices and values.
    pub changed_catalog: bool,
}

/// What the stack is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Tools and documents.
    pub fixtures: Fixtures,
    /// What runs programs.
    pub python: Python,
    /// Version of the reference planner.
    pub engine: Engine,
    /// A model server to ask in place of the stack's own.
    pub model_url: Option<String>,
    /// Model to ask for.
    pub model: String,
    /// Key of that server.
    pub model_key: Option<KeyFile>,
    /// Who may vouch for it.
    pub model_authorities: Authorities,
    /// Where the roles listen.
    pub ports: Ports,
    /// OTLP endpoint for spans; without one none leave.
    pub endpoint: Option<String>,
    /// UID of the cluster that the stack says it is in, for its spans.
    pub cluster_uid: Option<String>,
    /// What the agent tries again.
    pub retries: RetryPolicy,
    /// Deviations put in on purpose.
    pub deviations: Deviations,
}

impl Options {
    /// The stack as it is shipped.
    pub fn new(fixtures: Fixtures, python: Python) -> Self {
        Self {
            fixtures,
            python,
            engine: Engine::default(),
            model_url: None,
            model: "portproof-planner".to_owned(),
            model_key: None,
            model_authorities: Authorities::Public,
            ports: Ports::default(),
            endpoint: None,
            cluster_uid: None,
            retries: RetryPolicy::default(),
            deviations: Deviations::default(),
        }
    }

    fn resource(&self, service: &str) -> Resource {
        resource(service, |name| {
            self.cluster_uid.clone().filter(|_| name == "CLUSTER_UID")
        })
    }

    fn telemetry(&self, part: Part) -> Result<Telemetry, TelemetryError> {
        Telemetry::start(TelemetryConfig {
            resource: self.resource(part.name()),
            endpoint: self.endpoint.clone(),
        })
    }
}

/// Where the roles listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The agent: `POST /v1/tasks`.
    pub agent: SocketAddr,
    /// The tool gateway: MCP at `/mcp`.
    pub gateway: SocketAddr,
    /// The model server: OpenAI's API under `/v1`.
    pub model: SocketAddr,
    /// The interpreter: `POST /v1/execute`.
    pub interpreter: SocketAddr,
    /// The catalog: `GET /v1/items/{sku}`.
    pub catalog: SocketAddr,
}

/// A running stack.
pub struct Stack {
    addresses: Addresses,
    emitters: Vec<Telemetry>,
    relay: SpanRelay,
    roles: Roles,
    stopped: Mutex<mpsc::UnboundedReceiver<StackError>>,
}

impl Stack {
    /// Starts every role on loopback.
    ///
    /// # Errors
    /// When a port is taken or a role cannot be set up; then nothing is left running.
    pub async fn start(options: Options) -> Result<Self, StackError> {
        let (roles, stopped) = Roles::new();
        let shutdown = roles.shutdown.clone();
        let started = Self::begin(options, roles, stopped).await;
        if started.is_err() {
            shutdown.cancel();
        }
        started
    }

    async fn begin(
        options: Options,
        roles: Roles,
        stopped: mpsc::UnboundedReceiver<StackError>,
    ) -> Result<Self, StackError> {
        let on = options.ports;
        let model_spans = options.telemetry(Part::ModelStable)?;
        let gateway_spans = options.telemetry(Part::ToolGateway)?;
        let agent_spans = options.telemetry(Part::Agent)?;
        let relay = SpanRelay::new(options.endpoint.as_deref())?;

        let model = model::router(ModelParts {
            name: Part::ModelStable.name().to_owned(),
            answers: Answers::Engine(options.engine),
            telemetry: model_spans.clone(),
        });
        let model = Server::new(model).observed_by(&model_spans);
        let model = roles.serve("model server", on.model_port, model).await?;
        let python = interpreter::router(options.python.clone(), options.resource(INTERPRETER));
        let interpreter = roles
            .serve(INTERPRETER, on.interpreter_port, Server::new(python))
            .await?;
        let catalog = catalog::router(options.deviations.changed_catalog);
        let catalog = roles
            .serve(CATALOG, on.catalog_port, Server::new(catalog))
            .await?;

        let services = BTreeMap::from([
            (INTERPRETER.to_owned(), interpreter.port()),
            (CATALOG.to_owned(), catalog.port()),
        ]);
        let parts = gateway_parts(&options, &services, gateway_spans.clone(), relay.clone())?;
        let gateway = gateway::router(parts, roles.shutdown.clone());
        let gateway = Server::new(gateway).observed_by(&gateway_spans);
        let gateway = roles
            .serve("tool gateway", on.gateway_port, gateway)
            .await?;
        let parts = agent_parts(&options, model, gateway, agent_spans.clone())?;
        let agent = Server::new(agent::router(parts)).observed_by(&agent_spans);
        let agent = roles.serve("agent", on.agent_port, agent).await?;
        Ok(Self {
            addresses: Addresses {
                agent,
                gateway,
                model,
                interpreter,
                catalog,
            },
            emitters: vec![agent_spans, gateway_spans, model_spans],
            relay,
            roles,
            stopped: Mutex::new(stopped),
        })
    }

    /// Where the roles listen.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Waits until a role stops that was not told to.
    pub async fn failed(&self) -> StackError {
        match self.stopped.lock().await.recv().await {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }

    /// Sends the last spans, lets open requests end and closes every port.
    pub async fn stop(self) {
        self.roles.shutdown.cancel();
        self.roles.running.close();
        self.roles.running.wait().await;
        self.relay.drain(FLUSH_LIMIT).await;
        for emitter in &self.emitters {
            emitter.shutdown().await;
        }
    }
}

/// The servers of the stack.
struct Roles {
    shutdown: CancellationToken,
    running: TaskTracker,
    stopped: mpsc::UnboundedSender<StackError>,
}

impl Roles {
    fn new() -> (Self, mpsc::UnboundedReceiver<StackError>) {
        let (stopped, received) = mpsc::unbounded_channel();
        let roles = Self {
            shutdown: CancellationToken::new(),
            running: TaskTracker::new(),
            stopped,
        };
        (roles, received)
    }

    /// Serves one role.
    async fn serve(
        &self,
        role: &'static str,
        port: u16,
        server: Server,
    ) -> Result<SocketAddr, StackError> {
        let listening = async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) =
            listening
                .await
                .map_err(|source| StackError::Listen { role, port, source })?;
        let (shutdown, stopped) = (self.shutdown.clone(), self.stopped.clone());
        self.running.spawn(async move {
            let ended = server.serve_on(listener, shutdown.clone()).await;
            if !shutdown.is_cancelled() {
                let source = ended.err();
                // Without a listener the stack is being dropped, and nobody asks why.
                let _ = stopped.send(StackError::Stopped { role, source });
            }
        });
        Ok(address)
    }
}

fn gateway_parts(
    options: &Options,
    services: &BTreeMap<String, u16>,
    telemetry: Telemetry,
    relay: SpanRelay,
) -> Result<GatewayParts, StackError> {
    let mut fixtures = options.fixtures.clone();
    fixtures.move_backends(services);
    let registry = Registry::default();
    registry.replace(fixtures.tools);
    let documents = FixedDocuments::new(fixtures.documents);
    Ok(GatewayParts {
        registry: Arc::new(registry),
        backends: Backends::new(backend_client(services)?, Arc::new(documents), relay),
        telemetry,
        allowed_hosts: vec!["127.0.0.1".into(), "localhost".into()],
        hidden: options.deviations.hidden.clone(),
        drop_trace_context: options.deviations.drop_trace_context,
    })
}

/// A client for which the names of the Services lead to loopback.
fn backend_client(services: &BTreeMap<String, u16>) -> Result<reqwest::Client, HttpError> {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let builder = http_client::builder(CALL_LIMIT).tls_certs_only([]);
    services
        .keys()
        .fold(builder, |builder, service| {
            builder.resolve(service, loopback)
        })
        .build()
        .map_err(HttpError::Client)
}

fn agent_parts(
    options: &Options,
    model: SocketAddr,
    gateway: SocketAddr,
    telemetry: Telemetry,
) -> Result<AgentParts, StackError> {
    let own = || format!("http://{model}");
    let chat = Chat::new(ModelEndpoint {
        url: options.model_url.clone().unwrap_or_else(own),
        host: None,
        model: options.model.clone(),
        key: options.model_key.clone(),
        authorities: options.model_authorities.clone(),
    })?;
    let parts = AgentParts::new(chat, format!("http://{gateway}/mcp"), telemetry)?;
    Ok(parts.with_policy(options.retries))
}
