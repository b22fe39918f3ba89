//! `agent-stack run-limited`: the parent of one run, which ends with it and leaves nothing of it behind.
//!
//! A process for each run, because only a parent of its own can tell the orphans of one run from those of another: it
//! adopts everything the program leaves (`PR_SET_CHILD_SUBREAPER`), counts it, and ends it all before it ends itself.

mod disk;
mod end;
mod events;
pub(super) mod members;
mod watch;

use super::report::{Confinement, Ended, EndedBy, Order, Prepared, Refusal, Report};
use super::shield;
use crate::telemetry::chain;
use clap::Args;
use events::{Event, Events};
use rustix::process::{Pid, Signal, WaitStatus, getpid, set_child_subreaper, setsid};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;
use watch::Watch;

/// Longest time to get ready to become the program.
const PREPARATION: Duration = Duration::from_secs(10);
/// How the program's environment looks, beside the workspace as its home.
const LANGUAGE: (&str, &str) = ("LANG", "C.UTF-8");

/// Flags of `agent-stack run-limited`.
#[derive(Args, Clone, Debug)]
pub struct SuperviseArgs {
    /// The run, as JSON.
    pub order: String,
}

/// Why a run could not be supervised.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// Another program called this one.
    #[error("the order cannot be read")]
    Order(#[source] serde_json::Error),
    /// Standard input is not the server's connection, or it is gone.
    #[error("there is no connection to the server")]
    Connection(#[source] io::Error),
    /// Orphans of the program would be lost.
    #[error("orphans of the program cannot be adopted")]
    Adopt(#[source] io::Error),
    /// The program's process cannot be started.
    #[error("`{program}` cannot be started")]
    Start {
        /// The program.
        program: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The process ended before it became the program.
    #[error("the process that was to run the program did not say what became of it")]
    Silent(#[source] io::Error),
}

/// Carries out one run and reports on standard input, which is a connection to the server.
///
/// # Errors
/// When the server cannot be told what happened.
pub fn run(args: &SuperviseArgs) -> Result<(), SuperviseError> {
    let server = connection().map_err(SuperviseError::Connection)?;
    let report = supervise(args, &server)
        .unwrap_or_else(|error| Report::Refused(Refusal::Failed(chain(&error))));
    let text = serde_json::to_vec(&report).map_err(SuperviseError::Order)?;
    (&server)
        .write_all(&text)
        .map_err(SuperviseError::Connection)
}

fn connection() -> io::Result<UnixStream> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

fn supervise(args: &SuperviseArgs, server: &UnixStream) -> Result<Report, SuperviseError> {
    let order: Order = serde_json::from_str(&args.order).map_err(SuperviseError::Order)?;
    stand_apart().map_err(SuperviseError::Adopt)?;
    let (program, prepared) = start(&order, &args.order)?;
    let confinement = match prepared {
        Prepared::Ready(confinement) => confinement,
        Prepared::Refused(refusal) => return Ok(Report::Refused(refusal)),
    };
    let server = server.try_clone().map_err(SuperviseError::Connection)?;
    Ok(Report::Ended(carry_out(
        &order,
        program,
        server,
        confinement,
    )))
}

/// A session of its own keeps the terminal's signals away.
fn stand_apart() -> io::Result<()> {
    // Fails only for the leader of a group, which then is apart already.
    let _ = setsid();
    shield()?;
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Starts the process that becomes the program, and waits until it is about to.
fn start(order: &Order, text: &str) -> Result<(Pid, Prepared), SuperviseError> {
    let (ours, theirs) = UnixStream::pair().map_err(SuperviseError::Connection)?;
    let spawned = Command::new(&order.launcher)
        .args(["run-confined", text])
        .env_clear()
        .envs([LANGUAGE])
        .env("HOME", &order.workspace)
        .env("TMPDIR", &order.workspace)
        .current_dir(&order.workspace)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn();
    let child = spawned.map_err(|source| SuperviseError::Start {
        program: order.launcher.display().to_string(),
        source,
    })?;
    let prepared = hear(&ours).map_err(SuperviseError::Silent)?;
    let program = Pid::from_raw(child.id().cast_signed())
        .ok_or_else(|| SuperviseError::Silent(io::ErrorKind::InvalidData.into()))?;
    Ok((program, prepared))
}

/// Reads until the process becomes the program or ends. Its last word counts: it may fail after it said it was ready.
fn hear(mut ours: &UnixStream) -> io::Result<Prepared> {
    ours.set_read_timeout(Some(PREPARATION))?;
    let mut words = String::new();
    ours.read_to_string(&mut words)?;
    let last = words.lines().last().ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(serde_json::from_str(last)?)
}

/// Watches the program until it ends or has to, then ends everything that is left of it.
fn carry_out(order: &Order, program: Pid, server: UnixStream, confinement: Confinement) -> Ended {
    let mut watch = Watch::start(order, program, confinement);
    let events = Events::start(program, server);
    let cause = watch_until_end(&mut watch, &events);
    let wall = watch.elapsed();
    let remains = end::everything(program, &events);
    let usage = watch.usage(wall, remains.left_over);
    let status = remains.status;
    Ended {
        cause: cause
            .unwrap_or_else(|| own_end(order, status, usage.user_cpu_ms + usage.system_cpu_ms)),
        exit_code: exit_code(status),
        usage,
        confinement,
        survivors: remains.survivors,
    }
}

/// Returns what made the run end; `None` when the program ended by itself.
fn watch_until_end(watch: &mut Watch<'_>, events: &Events) -> Option<EndedBy> {
    loop {
        match events.next(watch.pause()) {
            Some(Event::Ended | Event::Childless(_)) => return None,
            Some(Event::Told(cause)) => return Some(cause),
            None => {}
        }
        if let Some(cause) = watch.look() {
            return Some(cause);
        }
    }
}

/// How a program ended that nobody here ended. The kernel sends SIGXCPU at the limit of processor time and, to a program
/// that ignores it, SIGKILL a second later.
fn own_end(order: &Order, status: Option<WaitStatus>, cpu_ms: u64) -> EndedBy {
    let signal = status.and_then(WaitStatus::terminating_signal);
    let used_up = cpu_ms >= order.limits.cpu_seconds.saturating_mul(1000);
    match signal {
        None => EndedBy::Exited,
        Some(signal) if signal == Signal::XCPU.as_raw() => EndedBy::Cpu,
        Some(signal) if signal == Signal::KILL.as_raw() && used_up => EndedBy::Cpu,
        Some(_) => EndedBy::Signalled,
    }
}

/// 128 + n after signal n, as shells have it; -1 when the end was missed.
fn exit_code(status: Option<WaitStatus>) -> i32 {
    let Some(status) = status else { return -1 };
    let signalled = status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or(signalled).unwrap_or(-1)
}
