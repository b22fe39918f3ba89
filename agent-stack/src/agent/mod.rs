//! The agent: takes a task, asks the model for a plan, carries it out over MCP and answers.

mod call;
mod chat;
pub mod event;
mod evidence;
mod failure;
mod lack;
mod mcp;
mod output;
mod prompt;
mod request;
mod retry;
mod service;
mod steps;
mod stream;
mod task;
#[cfg(test)]
mod tests;
mod words;

pub use chat::{Chat, ChatError, ModelEndpoint};
pub use event::{AgentEvent, CallEvidence, CallOutcome, FailedPart, PlannedStep};
pub use failure::TaskError;
pub use mcp::McpError;
pub use output::OutputSchemaError;
pub use request::{MAX_SECONDS, RequestError, TaskRequest};
pub use retry::RetryPolicy;
pub use service::{AgentParts, router};

use crate::api_key::{KeyError, KeyFile};
use crate::authorities::{Authorities, AuthoritiesError};
use crate::http_client::HttpError;
use crate::server::{Server, ServerError};
use crate::shutdown;
use crate::telemetry::{Telemetry, TelemetryConfig, TelemetryError};
use clap::Args;
use portproof_proto::names::{HTTP_PORT, Part};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Name of the agent in its spans.
pub const AGENT: &str = "portproof-agent";

/// Flags of `agent-stack agent`.
#[derive(Args, Clone, Debug)]
pub struct AgentArgs {
    /// Model server, for example `http://10.0.0.5:80`: the part of the URL before `/v1`.
    #[arg(long, value_name = "URL")]
    pub model_url: String,
    /// `Host` header of model requests, when the URL names a Gateway.
    #[arg(long, value_name = "HOST")]
    pub model_host: Option<String>,
    /// Model to ask for.
    #[arg(long, default_value = "portproof-planner")]
    pub model: String,
    /// File with the key of the model server; it is sent as `Authorization: Bearer`.
    #[arg(long, value_name = "FILE", env = "PORTPROOF_MODEL_KEY_FILE")]
    pub model_key_file: Option<PathBuf>,
    /// PEM file of the authorities that may vouch for the model server; without it the public ones may.
    #[arg(long, value_name = "FILE", env = "PORTPROOF_MODEL_CA_FILE")]
    pub model_ca_file: Option<PathBuf>,
    /// MCP endpoint of the tool gateway, for example `http://tool-gateway:8080/mcp`.
    #[arg(long, value_name = "URL")]
    pub gateway_url: String,
    /// Most attempts of one request to the model or of one tool call whose answer was lost or late.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10))]
    pub attempts: u32,
    /// Longest time one attempt may take, in seconds.
    #[arg(long, default_value_t = 120, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    pub attempt_timeout: u64,
    /// Port to listen on.
    #[arg(long, default_value_t = HTTP_PORT)]
    pub port: u16,
}

/// Why the agent stopped.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// No signal handler.
    #[error("signals cannot be handled")]
    Signal(#[source] io::Error),
    /// Spans cannot be exported.
    #[error("telemetry cannot be set up")]
    Telemetry(#[source] TelemetryError),
    /// The model cannot be asked.
    #[error("the model's address cannot be used")]
    Model(#[source] ChatError),
    /// The key of the model server cannot be used.
    #[error("the key of the model server cannot be used")]
    Key(#[source] KeyError),
    /// Nobody can say who the model server is.
    #[error("there are no authorities for the model server")]
    Authorities(#[source] AuthoritiesError),
    /// The client for the tool gateway cannot be set up.
    #[error("the client for the tool gateway cannot be set up")]
    Client(#[source] HttpError),
    /// The server failed.
    #[error("tasks cannot be served")]
    Server(#[source] ServerError),
}

/// Serves tasks until a signal ends it.
///
/// # Errors
/// When the port is taken or an address cannot be used.
pub async fn run(args: AgentArgs) -> Result<(), AgentError> {
    let AgentArgs {
        model_url,
        model_host,
        model,
        model_key_file,
        model_ca_file,
        gateway_url,
        attempts,
        attempt_timeout,
        port,
    } = args;
    let shutdown = shutdown::on_signal().map_err(AgentError::Signal)?;
    let telemetry = Telemetry::start(TelemetryConfig::from_env(Part::Agent.name()))
        .map_err(AgentError::Telemetry)?;
    let endpoint = ModelEndpoint {
        url: model_url,
        host: model_host,
        model,
        key: model_key_file
            .map(|path| KeyFile::open(&path))
            .transpose()
            .map_err(AgentError::Key)?,
        authorities: Authorities::of_file(model_ca_file.as_deref())
            .map_err(AgentError::Authorities)?,
    };
    let chat = Chat::new(endpoint).map_err(AgentError::Model)?;
    let policy = RetryPolicy {
        attempts,
        limit: Duration::from_secs(attempt_timeout),
        ..RetryPolicy::default()
    };
    let parts = AgentParts::new(chat, gateway_url, telemetry.clone())
        .map_err(AgentError::Client)?
        .with_policy(policy);
    let served = Server::new(router(parts))
        .observed_by(&telemetry)
        .serve(port, shutdown)
        .await
        .map_err(AgentError::Server);
    telemetry.shutdown().await;
    served
}
