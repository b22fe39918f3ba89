//! The code interpreter: runs untrusted Python, each program in a confined process tree of its own.
//!
//! ```text
//! interpreter ──► run-limited (supervisor) ──► run-confined, which becomes python ──► whatever python starts
//! ```
//!
//! The sandbox is the pod's (RuntimeClass, egress policy, read-only root); limits here keep one run from starving the
//! next, and Landlock and seccomp, where the kernel has them, keep runs from each other and from the interpreter. The
//! same server runs as the control of egress probes, in a pod without that sandbox.

mod admission;
mod body;
pub mod confine;
mod confinement;
mod fingerprint;
mod limits;
mod output;
mod report;
mod request;
mod run;
mod service;
mod settings;
pub mod supervise;
mod supervisor;
mod workspace;

pub use admission::Busy;
pub use body::{ErrorAnswer, ErrorBody, ErrorCode};
pub use confinement::ConfinementAnswer;
pub use fingerprint::Fingerprint;
pub use limits::{LimitArgs, LimitError, Limits, WantedLimits};
pub use report::{Confinement, EndedBy, Layer, Usage};
pub use request::{EncodedFile, ExecuteAnswer, ExecuteRequest};
pub use run::{ExecuteError, Execution, Python};
pub use service::router;
pub use settings::Settings;
pub use workspace::{FileCaps, InnerPath, OutputFile, OutputFiles, PathError, Program};

use crate::server::{Server, ServerError};
use crate::shutdown;
use crate::telemetry::{self, Telemetry};
use clap::Args;
use portproof_proto::names::{HTTP_PORT, Part};
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
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
    /// What a run may use.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Most files that come with a program or that it leaves.
    #[arg(long, default_value_t = 64)]
    pub max_files: u64,
    /// Most bytes of those files together.
    #[arg(long, default_value_t = 1 << 20)]
    pub max_files_bytes: u64,
    /// Processes and threads this user may have on the whole node (RLIMIT_NPROC).
    #[arg(long, default_value_t = 1024)]
    pub user_processes: u64,
    /// Programs that run at the same time.
    #[arg(long, default_value_t = 8)]
    pub concurrency: usize,
    /// Programs that may wait for one of them to end.
    #[arg(long, default_value_t = 32)]
    pub queue: usize,
    /// Directory for the workspaces of programs; one in the temporary directory when not given.
    #[arg(long)]
    pub workspaces: Option<PathBuf>,
    /// Directory that belongs to the interpreter alone, emptied whenever no program runs. May be repeated.
    #[arg(long)]
    pub wipe: Vec<PathBuf>,
    /// Path that programs may read besides Python's own. May be repeated.
    #[arg(long)]
    pub readable: Vec<PathBuf>,
    /// Run nothing unless Landlock and seccomp hold.
    #[arg(long)]
    pub require_confinement: bool,
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
    /// Executed code could read the interpreter's memory.
    #[error("the interpreter cannot be kept from executed code")]
    Shield(#[source] io::Error),
    /// Orphans of executed code cannot be adopted, or there is no place for workspaces.
    #[error("the interpreter cannot take charge of its programs")]
    Adopt(#[source] io::Error),
    /// No program can be run.
    #[error("no program can be run")]
    Trial(#[source] ExecuteError),
    /// The server failed.
    #[error("the interpreter cannot be served")]
    Server(#[source] ServerError),
}

impl InterpreterArgs {
    fn settings(self, launcher: PathBuf) -> Settings {
        let defaults = Settings::new(launcher, self.python);
        Settings {
            limits: self.limits,
            files: FileCaps {
                count: self.max_files,
                bytes: self.max_files_bytes,
            },
            user_processes: self.user_processes,
            concurrency: self.concurrency,
            queue: self.queue,
            workspaces: self.workspaces.unwrap_or(defaults.workspaces),
            wiped: self.wipe,
            readable: [defaults.readable, self.readable].concat(),
            require_confinement: self.require_confinement,
            ..defaults
        }
    }
}

/// Serves the interpreter until a signal ends it.
///
/// # Errors
/// When the port is taken, the process cannot be set up, or no program can be run.
pub async fn run(args: InterpreterArgs) -> Result<(), InterpreterError> {
    let shutdown = shutdown::on_signal().map_err(InterpreterError::Signal)?;
    let launcher = std::env::current_exe().map_err(InterpreterError::Program)?;
    shield().map_err(InterpreterError::Shield)?;
    let (port, name) = (args.port, args.name.clone());
    let python =
        Python::adopting_orphans(args.settings(launcher)).map_err(InterpreterError::Adopt)?;
    let confinement = python
        .confinement()
        .await
        .map_err(InterpreterError::Trial)?;
    confinement::log(confinement);
    let resource = telemetry::resource(&name, |variable| std::env::var(variable).ok());
    // Its metrics are read at `/metrics` only: the pod may not reach the collector.
    let telemetry = Telemetry::unexported(resource.clone());
    Server::new(router(python, resource))
        .observed_by(&telemetry)
        .serve(port, shutdown)
        .await
        .map_err(InterpreterError::Server)
}

/// Keeps other processes of this user, such as programs, from reading this process's memory and environment.
fn shield() -> io::Result<()> {
    // rustix looks these up in `/proc/self` when they are first asked for, and that is closed from here on.
    let _ = (page_size(), clock_ticks_per_second());
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
