//! `agent-stack run-limited`: sets resource limits on itself and becomes another program.
//!
//! A program of its own, because setting limits between fork and exec of another process needs unsafe code.

use clap::Args;
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::set_no_new_privs;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Flags of `agent-stack run-limited`.
#[derive(Args, Clone, Debug)]
pub struct LimitArgs {
    /// Address space, in bytes.
    #[arg(long)]
    pub memory: u64,
    /// Processor time, in seconds.
    #[arg(long)]
    pub cpu: u64,
    /// Largest file, in bytes.
    #[arg(long)]
    pub file: u64,
    /// Processes of this user.
    #[arg(long)]
    pub processes: u64,
    /// Open files.
    #[arg(long)]
    pub open_files: u64,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    pub program: Vec<OsString>,
}

/// Why the program was not started.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// A limit could not be set; the program does not run without it.
    #[error("the limit of {limit} cannot be set to {value}")]
    Limit {
        /// What is limited.
        limit: &'static str,
        /// The wanted value.
        value: u64,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// Gaining privileges could not be ruled out.
    #[error("no_new_privs cannot be set")]
    Privileges(#[source] io::Error),
    /// The program cannot be run.
    #[error("the program cannot be run")]
    Exec(#[source] io::Error),
}

/// Sets the limits and becomes the program; returns only on failure.
pub fn run(args: &LimitArgs) -> LimitError {
    match apply(args) {
        Err(error) => error,
        Ok(()) => exec(&args.program),
    }
}

fn apply(args: &LimitArgs) -> Result<(), LimitError> {
    set_no_new_privs(true).map_err(|source| LimitError::Privileges(source.into()))?;
    limit("memory", Resource::As, args.memory)?;
    limit("processor time", Resource::Cpu, args.cpu)?;
    limit("file size", Resource::Fsize, args.file)?;
    limit("processes", Resource::Nproc, args.processes)?;
    limit("open files", Resource::Nofile, args.open_files)?;
    limit("core size", Resource::Core, 0)
}

fn limit(limit: &'static str, resource: Resource, value: u64) -> Result<(), LimitError> {
    let both = Rlimit {
        current: Some(value),
        maximum: Some(value),
    };
    setrlimit(resource, both).map_err(|source| LimitError::Limit {
        limit,
        value,
        source: source.into(),
    })
}

fn exec(program: &[OsString]) -> LimitError {
    let Some((program, arguments)) = program.split_first() else {
        return LimitError::Exec(io::Error::from(io::ErrorKind::InvalidInput));
    };
    LimitError::Exec(Command::new(program).args(arguments).exec())
}
