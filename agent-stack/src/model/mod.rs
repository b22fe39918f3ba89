//! The model server: OpenAI-compatible, deterministic by default, or a relay to a real server.

mod metrics;
pub mod openai;
pub mod planner;
mod service;
mod stream;
#[cfg(test)]
mod tests;
mod upstream;

pub use service::router;
pub use upstream::{Upstream, UpstreamError};

use crate::server::{self, ServerError};
use crate::shutdown;
use crate::telemetry::{Telemetry, TelemetryConfig, TelemetryError};
use clap::Args;
use portproof_proto::names::HTTP_PORT;
use std::io;

/// Flags of `agent-stack model`.
#[derive(Args, Clone, Debug)]
pub struct ModelArgs {
    /// Name under which this backend answers, for example `model-stable`.
    #[arg(long)]
    pub name: String,
    /// Forward to this OpenAI-compatible server, for example `http://vllm:8000`.
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,
    /// Port to listen on.
    #[arg(long, default_value_t = HTTP_PORT)]
    pub port: u16,
}

/// Why the model server stopped.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No signal handler.
    #[error("signals cannot be handled")]
    Signal(#[source] io::Error),
    /// Spans cannot be exported.
    #[error("telemetry cannot be set up")]
    Telemetry(#[source] TelemetryError),
    /// The upstream cannot be used.
    #[error("the upstream server cannot be used")]
    Upstream(#[source] UpstreamError),
    /// The server failed.
    #[error("the model cannot be served")]
    Server(#[source] ServerError),
}

/// Serves the model until a signal ends it.
///
/// # Errors
/// When the port is taken, or telemetry or the upstream cannot be used.
pub async fn run(args: ModelArgs) -> Result<(), ModelError> {
    let ModelArgs {
        name,
        upstream,
        port,
    } = args;
    let shutdown = shutdown::on_signal().map_err(ModelError::Signal)?;
    let telemetry =
        Telemetry::start(TelemetryConfig::from_env(&name)).map_err(ModelError::Telemetry)?;
    let upstream = upstream
        .map(|url| Upstream::new(&url))
        .transpose()
        .map_err(ModelError::Upstream)?;
    let router = router(name, upstream, telemetry.clone());
    let served = server::serve(port, router, shutdown)
        .await
        .map_err(ModelError::Server);
    telemetry.shutdown().await;
    served
}
