//! The model server: OpenAI-compatible, deterministic by default, or a relay to a real server.

mod body;
mod complete;
mod engine;
mod error;
mod listed;
mod metrics;
pub mod openai;
pub mod planner;
mod request;
mod served;
mod service;
mod stream;
mod structured;
#[cfg(test)]
mod tests;
mod tokenizer;
mod upstream;

pub use engine::Engine;
pub use service::{Answers, ModelParts, router};
pub use upstream::{Upstream, UpstreamError};

use crate::api_key::KeyFile;
use crate::authorities::Authorities;
use crate::server::{Server, ServerError};
use crate::shutdown;
use crate::telemetry::{Telemetry, TelemetryConfig, TelemetryError};
use clap::Args;
use portproof_proto::names::HTTP_PORT;
use std::io;
use std::path::{Path, PathBuf};

/// Flags of `agent-stack model`.
#[derive(Args, Clone, Debug)]
pub struct ModelArgs {
    /// Name under which this backend answers, for example `model-stable`.
    #[arg(long)]
    pub name: String,
    /// Engine that answers.
    #[arg(long, value_enum, default_value_t)]
    pub engine: Engine,
    /// Forward to this OpenAI-compatible server, for example `http://vllm:8000`, in place of an engine.
    #[arg(long, value_name = "URL", conflicts_with = "engine")]
    pub upstream: Option<String>,
    /// File with the key of that server; it is sent as `Authorization: Bearer` in place of what clients send.
    #[arg(
        long,
        value_name = "FILE",
        env = "PORTPROOF_UPSTREAM_KEY_FILE",
        requires = "upstream"
    )]
    pub upstream_key_file: Option<PathBuf>,
    /// PEM file of the authorities that may vouch for that server; without it the public ones may.
    #[arg(
        long,
        value_name = "FILE",
        env = "PORTPROOF_UPSTREAM_CA_FILE",
        requires = "upstream"
    )]
    pub upstream_ca_file: Option<PathBuf>,
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
        engine,
        upstream,
        upstream_key_file,
        upstream_ca_file,
        port,
    } = args;
    let shutdown = shutdown::on_signal().map_err(ModelError::Signal)?;
    let telemetry =
        Telemetry::start(TelemetryConfig::from_env(&name)).map_err(ModelError::Telemetry)?;
    let answers = match upstream {
        None => Answers::Engine(engine),
        Some(url) => {
            let upstream = outside(
                &url,
                upstream_key_file.as_deref(),
                upstream_ca_file.as_deref(),
            );
            Answers::Upstream(Box::new(upstream.map_err(ModelError::Upstream)?))
        }
    };
    let parts = ModelParts {
        name,
        answers,
        telemetry: telemetry.clone(),
    };
    let served = Server::new(router(parts))
        .observed_by(&telemetry)
        .serve(port, shutdown)
        .await
        .map_err(ModelError::Server);
    telemetry.shutdown().await;
    served
}

fn outside(
    url: &str,
    key: Option<&Path>,
    authorities: Option<&Path>,
) -> Result<Upstream, UpstreamError> {
    let authorities = Authorities::of_file(authorities).map_err(UpstreamError::Authorities)?;
    let upstream = Upstream::new(url, &authorities)?;
    Ok(match key {
        None => upstream,
        Some(path) => upstream.with_key(KeyFile::open(path).map_err(UpstreamError::Key)?),
    })
}
