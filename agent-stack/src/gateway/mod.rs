//! The tool gateway: an MCP server over Streamable HTTP whose tools are the `Tool` objects of its namespace.
//!
//! It speaks revision 2026-07-28 (stateless) and the handshake of older revisions, checks arguments and results
//! against the tool's JSON Schemas, and says in each object's status whether it serves it.

mod backend;
mod call;
mod conformance;
mod endpoint;
mod inventory;
mod mcp;
mod registry;
mod router;
mod schema;
mod status;
#[cfg(test)]
mod tests;
mod tool;
mod watch;

pub use backend::{BackendError, Backends, DocumentSource, FixedDocuments, IndexError, Library};
pub use endpoint::Era;
pub use registry::Registry;
pub use router::{GatewayParts, router, router_of_era};
pub use schema::SchemaError;
pub use tool::Rejection;

use crate::http_client::{self, HttpError};
use crate::server::{Server, ServerError};
use crate::shutdown::{self, Grace};
use crate::telemetry::{
    FLUSH_LIMIT, RelayError, SpanRelay, Telemetry, TelemetryConfig, TelemetryError,
};
use backend::ClusterDocuments;
use clap::Args;
use portproof_proto::names::{HTTP_PORT, Part};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Longest time one call of a tool may take (`Tool.spec.timeoutSeconds` is at most this), with some room.
const CALL_LIMIT: Duration = Duration::from_secs(310);

/// Flags of `agent-stack gateway`.
#[derive(Args, Clone, Debug)]
pub struct GatewayArgs {
    /// Port to listen on.
    #[arg(long, default_value_t = HTTP_PORT)]
    pub port: u16,
    /// Namespace whose `Tool` objects are served.
    #[arg(
        long,
        env = "POD_NAMESPACE",
        required_unless_present = "conformance_fixture"
    )]
    pub namespace: Option<String>,
    /// Which revisions of MCP are spoken.
    #[arg(long, value_enum, default_value_t)]
    pub era: Era,
    /// Further `Host` values to accept, beside the names of the Service and loopback.
    #[arg(
        long = "allowed-host",
        env = "ALLOWED_HOSTS",
        value_delimiter = ',',
        value_name = "HOST"
    )]
    pub allowed_hosts: Vec<String>,
    /// Do not serve this tool: a deviation that a check must notice.
    #[arg(long = "hide-tool", value_name = "NAME")]
    pub hidden: Vec<String>,
    /// Ignore the trace context of calls: a deviation that a check must notice.
    #[arg(long)]
    pub drop_trace_context: bool,
    /// Serve the tools, prompts and resources of the MCP conformance suite, on loopback and without a cluster.
    #[arg(long)]
    pub conformance_fixture: bool,
    /// Serve that many tools beside them that answer with their arguments, for measuring.
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 1,
        requires = "conformance_fixture"
    )]
    pub echo_tools: usize,
}

/// Why the tool gateway stopped.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// No signal handler.
    #[error("signals cannot be handled")]
    Signal(#[source] io::Error),
    /// Spans cannot be exported.
    #[error("telemetry cannot be set up")]
    Telemetry(#[source] TelemetryError),
    /// Spans of the interpreter cannot be relayed.
    #[error("spans of the interpreter cannot be relayed")]
    Relay(#[source] RelayError),
    /// Not inside a cluster.
    #[error("the API server cannot be found from inside the pod")]
    InCluster(#[source] Box<kube::config::InClusterError>),
    /// The API server's client cannot be set up.
    #[error("the client for the API server cannot be set up")]
    Kube(#[source] Box<kube::Error>),
    /// The client for the backends cannot be set up.
    #[error("the client for the tools' backends cannot be set up")]
    Client(#[source] HttpError),
    /// The port on loopback is taken or may not be used.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The server failed.
    #[error("the tools cannot be served")]
    Server(#[source] ServerError),
}

/// Serves the tools until a signal ends it.
///
/// # Errors
/// When it does not run in a cluster, the port is taken or telemetry cannot be set up.
pub async fn run(args: GatewayArgs) -> Result<(), GatewayError> {
    let shutdown = shutdown::on_signal().map_err(GatewayError::Signal)?;
    if args.conformance_fixture {
        return serve_conformance(&args, shutdown).await;
    }
    let telemetry = TelemetryConfig::from_env(Part::ToolGateway.name());
    let relay = SpanRelay::new(telemetry.endpoint.as_deref()).map_err(GatewayError::Relay)?;
    let telemetry = Telemetry::start(telemetry).map_err(GatewayError::Telemetry)?;
    let client = cluster_client()?;
    let parts = parts(&args, client.clone(), telemetry.clone(), relay.clone())?;
    let namespace = args.namespace.unwrap_or_default();
    let watching = tokio::spawn(watch::run(client, namespace, Arc::clone(&parts.registry)));
    // The token of the transport ends calls at once, so it comes long after the signal.
    let last_words = Grace::from_env().last_words(&shutdown);
    let router = router_of_era(parts, args.era, last_words);
    let served = Server::new(router)
        .observed_by(&telemetry)
        .serve(args.port, shutdown)
        .await
        .map_err(GatewayError::Server);
    watching.abort();
    // Side by side, because the pod has the time of one of them.
    tokio::join!(relay.drain(FLUSH_LIMIT), telemetry.shutdown());
    served
}

/// Port 0 takes a free one; the log tells which.
async fn serve_conformance(
    args: &GatewayArgs,
    shutdown: CancellationToken,
) -> Result<(), GatewayError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let bind = |source| GatewayError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    tracing::info!(url = %format_args!("http://{address}{}", endpoint::PATH), "listening");
    let router = conformance::router(args.echo_tools, args.era, shutdown.clone());
    Server::new(router)
        .serve_on(listener, shutdown)
        .await
        .map_err(GatewayError::Server)
}

fn cluster_client() -> Result<kube::Client, GatewayError> {
    http_client::install_crypto();
    let config =
        kube::Config::incluster().map_err(|error| GatewayError::InCluster(Box::new(error)))?;
    kube::Client::try_from(config).map_err(|error| GatewayError::Kube(Box::new(error)))
}

fn parts(
    args: &GatewayArgs,
    client: kube::Client,
    telemetry: Telemetry,
    relay: SpanRelay,
) -> Result<GatewayParts, GatewayError> {
    let namespace = args.namespace.as_deref().unwrap_or_default();
    let documents = ClusterDocuments::new(client, namespace);
    let http = http_client::client(CALL_LIMIT).map_err(GatewayError::Client)?;
    Ok(GatewayParts {
        registry: Arc::new(Registry::default()),
        backends: Backends::new(http, Arc::new(documents), relay),
        telemetry,
        allowed_hosts: allowed_hosts(namespace, &args.allowed_hosts),
        hidden: args.hidden.iter().cloned().collect(),
        drop_trace_context: args.drop_trace_context,
    })
}

/// Every name under which a client inside the cluster reaches the Service, loopback for port-forwards, and `further`.
fn allowed_hosts(namespace: &str, further: &[String]) -> Vec<String> {
    let service = Part::ToolGateway.name();
    let names = [
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
        service.to_owned(),
        format!("{service}.{namespace}"),
        format!("{service}.{namespace}.svc"),
        format!("{service}.{namespace}.svc.cluster.local"),
    ];
    names
        .into_iter()
        .chain(further.iter().filter(|host| !host.is_empty()).cloned())
        .collect()
}
