//! The code interpreter: runs untrusted Python, one confined child process for each request.
//!
//! The sandbox is the pod's (RuntimeClass, egress policy, read-only root); limits here keep one run from starving the
//! next. The same server runs as the control of egress probes, in a pod without that sandbox.

mod execute;
mod fingerprint;
pub mod limits;
mod output;
mod service;

pub use execute::{ExecuteError, Execution, Python, Settings};
pub use fingerprint::Fingerprint;
pub use service::{ExecuteAnswer, ExecuteRequest, router};

use crate::server::{self, ServerError};
use crate::shutdown;
use crate::telemetry;
use clap::Args;
use portproof_proto::names::{HTTP_PORT, Part};
use std::io;
use std::path::PathBuf;

/// Flags of `agent-stack interpreter`.
#[derive(Args, Clone, Debug)]
pub struct InterpreterArgs {
    /// Port to listen on.
    #[arg(long, default_value_t = HTTP_PORT)]
    pub port: u16,
    /// The Python to run.
    #[arg(long, env = "PYTHON", default_value = "/usr/bin/python3.11")]
    pub python: PathBuf,
    /// Service name in spans.
    #[arg(long, default_value = Part::Interpreter.name())]
    pub name: String,
}

/// Why the interpreter stopped.
#[derive(Debug, thiserror::Error)]
pub enum InterpreterError {
    /// No signal handler.
    #[error("signals cannot be handled")]
    Signal(#[source] io::Error),
    /// The path of this program is not known.
    #[error("the interpreter cannot find its own program")]
    Program(#[source] io::Error),
    /// Orphans of executed code cannot be adopted.
    #[error("orphaned processes cannot be adopted")]
    Adopt(#[source] io::Error),
    /// The server failed.
    #[error("the interpreter cannot be served")]
    Server(#[source] ServerError),
}

/// Serves the interpreter until a signal ends it.
///
/// # Errors
/// When the port is taken or the process cannot be set up.
pub async fn run(args: InterpreterArgs) -> Result<(), InterpreterError> {
    let InterpreterArgs { port, python, name } = args;
    let shutdown = shutdown::on_signal().map_err(InterpreterError::Signal)?;
    let launcher = std::env::current_exe().map_err(InterpreterError::Program)?;
    let python = Python::adopting_orphans(Settings::new(launcher, python))
        .map_err(InterpreterError::Adopt)?;
    let resource = telemetry::resource(&name, |variable| std::env::var(variable).ok());
    server::serve(port, router(python, resource), shutdown)
        .await
        .map_err(InterpreterError::Server)
}
