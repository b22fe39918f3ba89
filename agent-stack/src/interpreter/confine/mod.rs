//! `agent-stack run-confined`: gives up every right a Python program does not need, then becomes that program.
//!
//! A program of its own, because doing this between fork and exec of another process needs unsafe code.

mod files;
mod resources;
mod syscalls;

use super::report::{Confinement, Order, Prepared, Refusal};
use crate::telemetry::chain;
use clap::Args;
use rustix::process::{Signal, getppid, nice, set_parent_process_death_signal, setsid};
use rustix::thread::{no_new_privs, set_no_new_privs};
use std::convert::Infallible;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// The program as Python is told to run it. The name of the workspace is random and must not show in tracebacks: what
/// a program prints on one cluster is compared with what it prints on another.
const PROGRAM: &str = "/proc/self/cwd/main.py";
/// No site packages, no user site, no environment variables, no bytecode files. Not `-I`: that would also hide modules
/// that came with the program.
const PYTHON_FLAGS: [&str; 4] = ["-E", "-s", "-S", "-B"];
/// How much the program yields to the server that has to end it.
const NICENESS: i32 = 5;

/// Flags of `agent-stack run-confined`.
#[derive(Args, Clone, Debug)]
pub struct ConfineArgs {
    /// The run, as JSON.
    pub order: String,
}

/// Why the program was not started.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// Another program called this one.
    #[error("the order cannot be read")]
    Order(#[source] serde_json::Error),
    /// The supervisor has ended.
    #[error("the supervisor is gone")]
    Orphaned,
    /// The process cannot become independent of the server's.
    #[error("no session of its own can be made")]
    Session(#[source] io::Error),
    /// Gaining privileges could not be ruled out.
    #[error("no_new_privs cannot be set")]
    Privileges(#[source] io::Error),
    /// A limit could not be set; the program does not run without it.
    #[error(transparent)]
    Limit(#[from] resources::ResourceError),
    /// Landlock is there and failed.
    #[error("the program's access to files cannot be confined")]
    Files(#[source] landlock::RulesetError),
    /// The seccomp filter cannot be made.
    #[error("the program's system calls cannot be confined")]
    Syscalls(#[source] seccompiler::BackendError),
    /// A layer of confinement is missing that is required.
    #[error("a layer of confinement is missing")]
    Unconfined(Confinement),
    /// What happened cannot be told.
    #[error("the supervisor cannot be told")]
    Tell(#[source] io::Error),
    /// The program cannot be run.
    #[error("`{python}` cannot be run")]
    Exec {
        /// The Python.
        python: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// Becomes the program; returns only when that failed, which the supervisor has been told.
pub fn run(args: &ConfineArgs) -> ConfineError {
    let supervisor = match connection() {
        Ok(supervisor) => supervisor,
        Err(source) => return ConfineError::Tell(source),
    };
    let error = match attempt(args, &supervisor) {
        Ok(never) => match never {},
        Err(error) => error,
    };
    // Where the supervisor can't be told, it sees this process end without a word.
    let _ = tell(&supervisor, &Prepared::Refused(refusal(&error)));
    error
}

/// Standard input, which the program gets anew. The copy closes when the program is executed, and so says that it was.
fn connection() -> io::Result<UnixStream> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

fn attempt(args: &ConfineArgs, supervisor: &UnixStream) -> Result<Infallible, ConfineError> {
    let order: Order = serde_json::from_str(&args.order).map_err(ConfineError::Order)?;
    let confinement = prepare(&order)?;
    if order.require_confinement && !confinement.is_complete() {
        return Err(ConfineError::Unconfined(confinement));
    }
    resources::limit_memory(&order.limits)?;
    tell(supervisor, &Prepared::Ready(confinement))?;
    become_program(&order)
}

fn refusal(error: &ConfineError) -> Refusal {
    match error {
        ConfineError::Unconfined(confinement) => Refusal::Unconfined(*confinement),
        other => Refusal::Failed(chain(other)),
    }
}

fn prepare(order: &Order) -> Result<Confinement, ConfineError> {
    setsid().map_err(|source| ConfineError::Session(source.into()))?;
    die_with_parent(order.server)?;
    be_dispensable();
    set_no_new_privs(true).map_err(|source| ConfineError::Privileges(source.into()))?;
    resources::apply(&order.limits, order.user_processes)?;
    let files = files::confine(order).map_err(ConfineError::Files)?;
    let seccomp = syscalls::confine(order.server).map_err(ConfineError::Syscalls)?;
    Ok(Confinement {
        landlock: files.layer,
        landlock_abi: files.abi,
        seccomp,
        no_new_privs: no_new_privs().unwrap_or(false),
    })
}

/// A supervisor that was killed must not leave its program behind. If it was killed before this, the parent is the
/// server, which adopts orphans.
fn die_with_parent(server: i32) -> Result<(), ConfineError> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|source| ConfineError::Privileges(source.into()))?;
    let parent = getppid().map(|pid| pid.as_raw_nonzero().get());
    if [None, Some(1), Some(server)].contains(&parent) {
        return Err(ConfineError::Orphaned);
    }
    Ok(())
}

/// The program is the first to go when memory is short and the last to get the processor. Both are favours to the
/// server, and where the kernel refuses them the limits still hold.
fn be_dispensable() {
    let _ = fs_err::write("/proc/self/oom_score_adj", "1000");
    let _ = nice(NICENESS);
}

fn become_program(order: &Order) -> Result<Infallible, ConfineError> {
    let source = Command::new(&order.python)
        .args(PYTHON_FLAGS)
        .arg(PROGRAM)
        .stdin(Stdio::null())
        .exec();
    Err(ConfineError::Exec {
        python: order.python.display().to_string(),
        source,
    })
}

fn tell(mut supervisor: &UnixStream, prepared: &Prepared) -> Result<(), ConfineError> {
    let mut line =
        serde_json::to_vec(prepared).map_err(|source| ConfineError::Tell(source.into()))?;
    line.push(b'\n');
    supervisor.write_all(&line).map_err(ConfineError::Tell)
}
