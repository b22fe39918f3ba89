//! The command line of `agent-stack`: which part of the stack this process is.

use crate::agent::{self, AgentArgs};
use crate::all::{self, AllArgs};
use crate::catalog::{self, CatalogArgs};
use crate::gateway::{self, GatewayArgs};
use crate::http_client::install_crypto;
use crate::interpreter::confine::{self, ConfineArgs};
use crate::interpreter::supervise::{self, SuperviseArgs};
use crate::interpreter::{self, InterpreterArgs};
use crate::model::{self, ModelArgs};
use crate::pause;
use crate::telemetry::log_to_stderr;
use crate::{canary, control};
use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// The reference agent stack of portproof.
#[derive(Parser, Debug)]
#[command(name = "agent-stack", version, about, max_term_width = 100)]
pub struct Cli {
    /// Which part to be.
    #[command(subcommand)]
    pub part: Part,
}

/// The parts of the stack.
#[derive(Subcommand, Debug)]
pub enum Part {
    /// Every role in this process on loopback, with tools from a folder in place of a cluster.
    All(AllArgs),
    /// OpenAI-compatible model server.
    Model(ModelArgs),
    /// Tool gateway: an MCP server for the Tool objects of its namespace.
    Gateway(GatewayArgs),
    /// Interpreter that runs untrusted Python; also the control of egress probes.
    Interpreter(InterpreterArgs),
    /// Agent that plans and carries out tasks.
    Agent(AgentArgs),
    /// Control agent: the cluster's side of every gRPC call.
    Control(control::Args),
    /// Listener outside every allow-list, which records whom it hears.
    Canary(canary::Args),
    /// HTTP service with prices, which one of the tools calls.
    Catalog(CatalogArgs),
    /// First process of a pod sandbox.
    Pause,
    /// Carry out one run of the interpreter.
    #[command(hide = true)]
    RunLimited(SuperviseArgs),
    /// Give up rights and become the program of a run.
    #[command(hide = true)]
    RunConfined(ConfineArgs),
}

impl Part {
    /// The subcommand, as the log names the part.
    const fn name(&self) -> &'static str {
        match self {
            Self::All(_) => "all",
            Self::Model(_) => "model",
            Self::Gateway(_) => "gateway",
            Self::Interpreter(_) => "interpreter",
            Self::Agent(_) => "agent",
            Self::Control(_) => "control",
            Self::Canary(_) => "canary",
            Self::Catalog(_) => "catalog",
            Self::Pause => "pause",
            Self::RunLimited(_) => "run-limited",
            Self::RunConfined(_) => "run-confined",
        }
    }
}

impl Cli {
    /// Becomes the part; returns when it ends.
    ///
    /// # Errors
    /// When the part cannot start or fails.
    pub fn run(self) -> anyhow::Result<()> {
        match self.part {
            Part::Pause => pause::run().context("the pause ended"),
            Part::RunLimited(args) => Ok(supervise::run(&args)?),
            Part::RunConfined(args) => Err(confine::run(&args).into()),
            part => serve(part),
        }
    }
}

/// Two workers at least: the exporter of spans blocks one of them while it needs another.
fn serve(part: Part) -> anyhow::Result<()> {
    log_to_stderr(part.name(), usual_level(&part));
    install_crypto();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(run(part))
}

async fn run(part: Part) -> anyhow::Result<()> {
    match part {
        Part::All(args) => Ok(all::run(args).await?),
        Part::Model(args) => Ok(model::run(args).await?),
        Part::Gateway(args) => Ok(gateway::run(args).await?),
        Part::Interpreter(args) => Ok(interpreter::run(args).await?),
        Part::Agent(args) => Ok(agent::run(args).await?),
        Part::Catalog(args) => Ok(catalog::run(args).await?),
        Part::Control(args) => control::run(args).await,
        Part::Canary(args) => canary::run(args).await,
        Part::Pause | Part::RunLimited(_) | Part::RunConfined(_) => Ok(()),
    }
}

/// What is logged unless `RUST_LOG` says otherwise. A person who tries the stack reads stdout; what every role logs would
/// get in between.
const fn usual_level(part: &Part) -> &'static str {
    match part {
        Part::All(_) => "warn",
        // The libraries tell their own life, which is nobody's business here.
        _ => "info,rmcp=warn,opentelemetry_sdk=warn",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
