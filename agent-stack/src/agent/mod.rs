//! The agent: takes a task, asks the model for a plan, carries it out over MCP and answers.

mod chat;
pub mod event;
mod failure;
mod mcp;
mod prompt;
mod service;
mod task;

pub use chat::{Chat, ChatError, ModelEndpoint};
pub use event::{AgentEvent, FailedPart};
pub use failure::TaskError;
pub use mcp::McpError;
pub use service::{AgentParts, TaskRequest, router};

use crate::http_client::HttpError;
use crate::server::{self, ServerError};
use crate::shutdown;
use crate::telemetry::{Telemetry, TelemetryConfig, TelemetryError};
use clap::Args;
use portproof_proto::names::{HTTP_PORT, Part};
use std::io;

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
    /// MCP endpoint of the tool gateway, for example `http://tool-gateway:8080/mcp`.
    #[arg(long, value_name = "URL")]
    pub gateway_url: String,
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
        gateway_url,
        port,
    } = args;
    let shutdown = shutdown::on_signal().map_err(AgentError::Signal)?;
    let telemetry = Telemetry::start(TelemetryConfig::from_env(Part::Agent.name()))
        .map_err(AgentError::Telemetry)?;
    let endpoint = ModelEndpoint {
        url: model_url,
        host: model_host,
        model,
    };
    let chat = Chat::new(endpoint).map_err(AgentError::Model)?;
    let parts =
        AgentParts::new(chat, gateway_url, telemetry.clone()).map_err(AgentError::Client)?;
    let served = server::serve(port, router(parts), shutdown)
        .await
        .map_err(AgentError::Server);
    telemetry.shutdown().await;
    served
}
