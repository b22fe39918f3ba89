//! The server's end of a run: its supervisor's process, what the program writes, and the supervisor's report.

use super::limits::Limits;
use super::output::{Flood, Output, Reader};
use super::report::{FLOODED, Order, Report};
use super::run::ExecuteError;
use super::supervise::members::{self, Member};
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};
use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

/// Time a supervisor gets beyond the run's own, to start it, to end everything of it and to tell.
const GRACE: Duration = Duration::from_secs(20);
/// Time the outputs get to close once the supervisor has ended: only something that it could not end still holds them.
const CLOSING: Duration = Duration::from_millis(500);
/// Longest report, in bytes.
const LONGEST_REPORT: u64 = 64 << 10;

/// The supervisors that run; nothing else is a child of a server that adopts orphans.
#[derive(Clone, Debug, Default)]
pub(super) struct Supervisors(Arc<Mutex<BTreeSet<i32>>>);

impl Supervisors {
    /// Ends and reaps every child of this process that is no supervisor: what a killed supervisor left behind. An
    /// orphan's own children become this process's and are ended next. Blocks.
    pub(super) fn end_orphans(&self) {
        const GENERATIONS: usize = 64;
        for _ in 0..GENERATIONS {
            let orphans = self.orphans();
            if orphans.is_empty() {
                return;
            }
            orphans.into_iter().for_each(end);
        }
        tracing::warn!("processes of executed code outlive it");
    }

    /// Under the lock, so that a supervisor that starts meanwhile is not taken for an orphan.
    fn orphans(&self) -> Vec<Pid> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = getpid();
        let is_orphan = |member: &Member| {
            member.parent == own.as_raw_nonzero().get()
                && !known.contains(&member.pid.as_raw_nonzero().get())
        };
        let members = members::below(own).into_iter().filter(is_orphan);
        members.map(|member| member.pid).collect()
    }

    /// Starts a supervisor and knows it from then on.
    fn spawn(&self, command: &mut Command) -> io::Result<(Child, i32)> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let child = command.spawn()?;
        let id = child.id().map_or(0, u32::cast_signed);
        known.insert(id);
        Ok((child, id))
    }
}

fn end(orphan: Pid) {
    // Gone is as good as ended.
    let _ = kill_process(orphan, Signal::KILL);
    let _ = waitpid(Some(orphan), WaitOptions::empty());
}

/// One supervisor.
pub(super) struct Supervisor {
    child: Child,
    id: i32,
    known: Supervisors,
    connection: UnixStream,
    flood: Arc<Flood>,
    readers: [Option<Reader>; 2],
}

impl Supervisor {
    /// Starts the supervisor of the run that `order` describes.
    pub(super) fn start(order: &Order, known: &Supervisors) -> Result<Self, ExecuteError> {
        let failed = |source| ExecuteError::Start {
            program: order.launcher.clone(),
            source,
        };
        let (ours, theirs) = connection().map_err(failed)?;
        let text = serde_json::to_string(order).map_err(|error| failed(error.into()))?;
        let mut command = Command::new(&order.launcher);
        command
            .args(["run-limited", &text])
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let (mut child, id) = known.spawn(&mut command).map_err(failed)?;
        let flood = Flood::new(order.limits.flood_bytes);
        let cap = usize::try_from(order.limits.output_bytes).unwrap_or(usize::MAX);
        let readers = [
            (child.stdout.take()).map(|pipe| Reader::start(pipe, cap, Arc::clone(&flood))),
            (child.stderr.take()).map(|pipe| Reader::start(pipe, cap, Arc::clone(&flood))),
        ];
        Ok(Self {
            child,
            id,
            known: known.clone(),
            connection: ours,
            flood,
            readers,
        })
    }

    /// Waits for the supervisor's report and its end. It ends the run when the program writes too much or the caller
    /// goes away; a supervisor that does not end is killed.
    pub(super) async fn report(
        &mut self,
        limits: &Limits,
        cancelled: &CancellationToken,
    ) -> Result<Report, ExecuteError> {
        let patience = Duration::from_secs(limits.wall_seconds) + GRACE;
        let told = tokio::time::timeout(patience, self.hear(cancelled)).await;
        let told = told.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if told.is_err() {
            // One that is gone already cannot be killed.
            let _ = self.child.start_kill();
        }
        self.child.wait().await.map_err(ExecuteError::Lost)?;
        let text = told.map_err(ExecuteError::Lost)?;
        serde_json::from_slice(&text).map_err(|error| ExecuteError::Lost(error.into()))
    }

    async fn hear(&mut self, cancelled: &CancellationToken) -> io::Result<Vec<u8>> {
        let (words, mut orders) = self.connection.split();
        let mut text = Vec::new();
        let mut report = words.take(LONGEST_REPORT);
        let heard = report.read_to_end(&mut text);
        tokio::pin!(heard);
        tokio::select! {
            heard = &mut heard => { heard?; return Ok(text); }
            () = self.flood.exceeded() => orders.write_all(&[FLOODED]).await?,
            () = cancelled.cancelled() => orders.shutdown().await?,
        }
        heard.await?;
        Ok(text)
    }

    /// What the program wrote.
    pub(super) async fn outputs(&mut self) -> [Output; 2] {
        let closed = async {
            for reader in self.readers.iter_mut().flatten() {
                reader.end().await;
            }
        };
        // Whether they closed in time does not matter: what was written so far is kept either way.
        let _ = tokio::time::timeout(CLOSING, closed).await;
        let readers = std::mem::take(&mut self.readers);
        readers.map(|reader| reader.map(Reader::take).unwrap_or_default())
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let mut known = self.known.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&self.id);
    }
}

/// A connection to the supervisor: the tokio end for this process, the other for its standard input.
fn connection() -> io::Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((UnixStream::from_std(ours)?, theirs.into()))
}
