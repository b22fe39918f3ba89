//! `agent-stack all`: every role in one process on loopback, to try the stack without a cluster.
//!
//! Tools and documents come from a folder of the objects that a cluster would hold. Nothing listens beyond 127.0.0.1.

mod console;
mod fixtures;
mod one_task;
mod stack;

pub use fixtures::{Fixtures, FixturesError};
pub use one_task::TaskFailed;
pub use stack::{Addresses, Deviations, Options, Ports, Stack, StackError};

use crate::api_key::{KeyError, KeyFile};
use crate::authorities::{Authorities, AuthoritiesError};
use crate::interpreter::{Python, Settings};
use crate::model::Engine;
use crate::shutdown;
use clap::Args;
use console::Console;
use std::io;
use std::path::PathBuf;

/// Flags of `agent-stack all`.
#[derive(Args, Clone, Debug)]
pub struct AllArgs {
    /// Folder with `tools` and `documents`.
    #[arg(long, value_name = "FOLDER", default_value = "scenarios/fixtures")]
    pub fixtures: PathBuf,
    /// Do this one task, show what happens, and end; fails when the task does.
    #[arg(long, value_name = "TEXT")]
    pub task: Option<String>,
    /// Longest time the task may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "task", value_parser = clap::value_parser!(u32).range(1..=600))]
    pub deadline: u32,
    /// Version of the reference planner that the model server runs.
    #[arg(long, value_enum, default_value_t)]
    pub engine: Engine,
    /// Ask this OpenAI-compatible server instead, for example `http://127.0.0.1:8000`.
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,
    /// Model to ask it for.
    #[arg(long, default_value = "portproof-planner", requires = "upstream")]
    pub model: String,
    /// File with the key of that server.
    #[arg(
        long,
        value_name = "FILE",
        env = "PORTPROOF_MODEL_KEY_FILE",
        requires = "upstream"
    )]
    pub model_key_file: Option<PathBuf>,
    /// PEM file of the authorities that may vouch for that server; without it the public ones may.
    #[arg(
        long,
        value_name = "FILE",
        env = "PORTPROOF_MODEL_CA_FILE",
        requires = "upstream"
    )]
    pub model_ca_file: Option<PathBuf>,
    /// The Python that programs run in.
    #[arg(long, env = "PYTHON", default_value = "python3")]
    pub python: PathBuf,
    /// Where each role listens; 0 takes a free port.
    #[command(flatten)]
    pub ports: Ports,
}

/// Why the stack did not run, or its task was not done.
#[derive(Debug, thiserror::Error)]
pub enum AllError {
    /// No signal handler.
    #[error("signals cannot be handled")]
    Signal(#[source] io::Error),
    /// The path of this program is not known.
    #[error("the interpreter cannot find its own program")]
    Program(#[source] io::Error),
    /// Tools or documents cannot be read.
    #[error("the tools and documents cannot be used")]
    Fixtures(#[source] FixturesError),
    /// The key of the model server cannot be used.
    #[error("the key of the model server cannot be used")]
    Key(#[source] KeyError),
    /// Nobody can say who the model server is.
    #[error("there are no authorities for the model server")]
    Authorities(#[source] AuthoritiesError),
    /// A role cannot run.
    #[error("the stack cannot run")]
    Stack(#[source] StackError),
    /// The task was not done.
    #[error("the task was not done")]
    Task(#[source] TaskFailed),
    /// Nothing can be written.
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
}

/// Runs every role until a signal, or until one task is done.
///
/// # Errors
/// When a role cannot start, a role fails, or the task fails.
pub async fn run(args: AllArgs) -> Result<(), AllError> {
    let shutdown = shutdown::on_signal().map_err(AllError::Signal)?;
    let options = options(&args)?;
    let stack = Stack::start(options).await.map_err(AllError::Stack)?;
    let mut console = Console::new(io::stdout());
    let done = match &args.task {
        Some(prompt) => {
            let task = one_task::run(stack.addresses(), prompt, args.deadline, &mut console);
            tokio::select! {
                done = task => done,
                () = shutdown.cancelled() => Err(AllError::Task(TaskFailed::Interrupted)),
            }
        }
        None => serve(&stack, &mut console, shutdown.cancelled()).await,
    };
    stack.stop().await;
    done
}

async fn serve<W: io::Write>(
    stack: &Stack,
    console: &mut Console<W>,
    ended: impl Future<Output = ()>,
) -> Result<(), AllError> {
    console
        .addresses(stack.addresses())
        .map_err(AllError::Output)?;
    tokio::select! {
        () = ended => console.stopping().map_err(AllError::Output),
        error = stack.failed() => Err(AllError::Stack(error)),
    }
}

fn options(args: &AllArgs) -> Result<Options, AllError> {
    let fixtures = Fixtures::read(&args.fixtures).map_err(AllError::Fixtures)?;
    let launcher = std::env::current_exe().map_err(AllError::Program)?;
    let key = args.model_key_file.as_deref().map(KeyFile::open);
    let key = key.transpose().map_err(AllError::Key)?;
    let authorities =
        Authorities::of_file(args.model_ca_file.as_deref()).map_err(AllError::Authorities)?;
    let python = Python::new(Settings::new(launcher, args.python.clone()));
    Ok(Options {
        engine: args.engine,
        model_url: args.upstream.clone(),
        model: args.model.clone(),
        model_key: key,
        model_authorities: authorities,
        ports: args.ports,
        endpoint: std::env::var(portproof_proto::telemetry::OTLP_ENDPOINT_ENV)
            .ok()
            .filter(|endpoint| !endpoint.is_empty()),
        ..Options::new(fixtures, python)
    })
}
