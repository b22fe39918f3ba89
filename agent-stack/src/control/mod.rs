//! The control agent: the server side of `portproof.v1.ClusterAgent` in one cluster, for the length of one run.

mod api;
mod caller;
mod clock;
mod describe;
mod door;
mod export;
mod failure;
mod home;
mod import;
mod mcp;
mod peers;
mod probe;
mod server;
mod stack;
mod stream;
mod task;
mod teardown;
mod telemetry;
mod tls;
mod traffic;

#[cfg(test)]
pub(crate) mod fake_api;

use crate::server::{self as http, Server};
use crate::telemetry::{self as signals, Telemetry};
use crate::{http_client, shutdown};
use anyhow::Context as _;
use api::ApiServer;
use clap::builder::NonEmptyStringValueParser;
use home::Home;
use peers::Peers;
use portproof_proto::names::{self, Part};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use telemetry::Spool;
use tls::Certificates;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Longest time open calls get after the agent was told to stop. A relay of telemetry has no end of its own.
const CALLS_GRACE: Duration = Duration::from_secs(5);

/// Options of `agent-stack control`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Id of the run the agent works for.
    #[arg(long)]
    pub run_id: String,
    /// Role of the cluster in the scenario (`a`, `b`).
    #[arg(long)]
    pub role: String,
    /// Namespace of the run.
    #[arg(long, env = "POD_NAMESPACE")]
    pub namespace: String,
    /// UID of the `kube-system` namespace, the identity of the cluster.
    #[arg(long, env = "CLUSTER_UID", value_parser = NonEmptyStringValueParser::new())]
    pub cluster_uid: String,
    /// Folder with `ca.pem`, `server.pem` and `server.key`.
    #[arg(long, default_value = names::CONTROL_TLS_DIR)]
    pub tls_dir: PathBuf,
    /// Port of the gRPC service (mutual TLS).
    #[arg(long, default_value_t = names::CONTROL_PORT)]
    pub port: u16,
    /// Port of the OTLP receiver.
    #[arg(long, default_value_t = names::OTLP_PORT)]
    pub otlp_port: u16,
    /// Port of `/livez`, `/readyz` and `/metrics`.
    #[arg(long, default_value_t = names::HTTP_PORT)]
    pub health_port: u16,
}

/// Runs the control agent until it is told to stop.
///
/// # Errors
/// When a certificate is missing, the cluster cannot be reached or a port cannot be had.
pub async fn run(args: Args) -> anyhow::Result<()> {
    http_client::install_crypto();
    clock::start();
    let stop = shutdown::on_signal()?;
    let certificates = Certificates::read(&args.tls_dir)?;
    let api = ApiServer::new(in_cluster_client()?);
    let home = Home::of(&args);
    let spool = Arc::new(Spool::default());
    let agent = server::Agent::new(home, api, Peers::new()?, Arc::clone(&spool));
    let (grpc, otlp, health) = tokio::try_join!(
        listen(args.port),
        listen(args.otlp_port),
        listen(args.health_port)
    )?;
    // What it counts is read at `/metrics` only: it is itself the collector that others push to.
    let own = Telemetry::unexported(signals::resource(Part::Control.name(), |name| {
        std::env::var(name).ok()
    }));
    tracing::info!(port = args.port, "the control agent serves");
    tokio::try_join!(
        async {
            let calls = server::serve(
                grpc,
                agent,
                &certificates,
                door::Limits::default(),
                stop.clone(),
            );
            tokio::select! {
                served = calls => served.context("the gRPC service ended"),
                () = cut(&stop) => Ok(()),
            }
        },
        async {
            telemetry::serve(otlp, spool, &own, stop.clone())
                .await
                .context("the OTLP receiver ended")
        },
        async {
            Server::new(healthy())
                .observed_by(&own)
                .serve_on(health, stop.clone())
                .await
                .context("the health service ended")
        },
    )?;
    Ok(())
}

fn in_cluster_client() -> anyhow::Result<kube::Client> {
    let config = kube::Config::incluster().context("the agent does not run inside a cluster")?;
    kube::Client::try_from(config).context("no client for the cluster's API server")
}

async fn listen(port: u16) -> anyhow::Result<TcpListener> {
    http::listen(port)
        .await
        .with_context(|| format!("port {port} cannot be had"))
}

/// Returns when calls that are still open are no longer waited for.
async fn cut(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(CALLS_GRACE).await;
    tracing::warn!("calls did not end in time and are cut off");
}

/// Health in plain HTTP, because kubelets cannot speak mutual TLS. Its port is opened together with the gRPC port,
/// so an answer means that the agent can be called.
fn healthy() -> axum::Router {
    http::with_refusals(http::with_health(axum::Router::new(), http::always_ready()))
}
