//! The canary listener: stands outside every allow-list and remembers who reached it.
//!
//! A probe sends a nonce; what counts is whether the nonce arrived here, not what the sender saw.

mod receipts;
mod receive;

use crate::server::Server;
use crate::telemetry::{Telemetry, TelemetryConfig};
use crate::{server, shutdown};
use anyhow::Context as _;
use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use portproof_proto::names;
use receipts::{Receipt, Receipts};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use tokio::net::{TcpListener, UdpSocket};

/// Options of `agent-stack canary`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Port of the listener, TCP and UDP.
    #[arg(long, default_value_t = names::CANARY_PORT)]
    pub port: u16,
    /// HTTP port where receipts are read.
    #[arg(long, default_value_t = names::HTTP_PORT)]
    pub http_port: u16,
}

/// Runs the canary listener until it is told to stop.
///
/// # Errors
/// When a port cannot be had.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let stop = shutdown::on_signal()?;
    let receipts = Arc::new(Receipts::default());
    let (tcp, udp) = open(args.port)
        .await
        .with_context(|| format!("port {} cannot be had", args.port))?;
    let http = server::listen(args.http_port)
        .await
        .with_context(|| format!("port {} cannot be had", args.http_port))?;
    let telemetry = Telemetry::start(TelemetryConfig::from_env(names::Part::Canary.name()))?;
    let record = Server::new(router(Arc::clone(&receipts))).observed_by(&telemetry);
    tokio::select! {
        () = receive::tcp(tcp, Arc::clone(&receipts)) => {}
        () = receive::udp(udp, receipts) => {}
        served = record.serve_on(http, stop) => served?,
    }
    telemetry.shutdown().await;
    Ok(())
}

/// The same port for both transports, on both IP families where the pod has both.
async fn open(port: u16) -> std::io::Result<(TcpListener, UdpSocket)> {
    let tcp = server::listen(port).await?;
    let port = tcp.local_addr()?.port();
    let udp = match UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(socket) => socket,
        Err(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await?,
    };
    Ok((tcp, udp))
}

fn router(receipts: Arc<Receipts>) -> Router {
    let router = Router::new()
        .route("/receipts/{nonce}", get(receipts_of))
        .with_state(receipts);
    server::with_refusals(server::with_health(router, server::always_ready()))
}

async fn receipts_of(
    State(receipts): State<Arc<Receipts>>,
    Path(nonce): Path<String>,
) -> Json<Vec<Receipt>> {
    Json(receipts.of(&nonce))
}

#[cfg(test)]
mod tests;
