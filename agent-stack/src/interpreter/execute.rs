//! Runs one Python program in a process group of its own and ends all of it.

use super::output::{Output, Reader};
use rustix::process::{
    Pid, Signal, WaitOptions, kill_process, kill_process_group, set_child_subreaper, waitpid,
};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Name of the program's file, as tracebacks show it.
const PROGRAM: &str = "main.py";
/// Time the outputs get to close after the program ended: someone it started may still hold them.
const CLOSING: Duration = Duration::from_millis(500);

/// How programs are run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This program, whose `run-limited` sets the limits.
    pub launcher: PathBuf,
    /// The Python to run.
    pub python: PathBuf,
    /// Longest output kept of each of stdout and stderr, in bytes.
    pub output_cap: usize,
    /// Address space, in bytes.
    pub memory: u64,
    /// Largest file, in bytes.
    pub file_size: u64,
    /// Processes.
    pub processes: u64,
}

impl Settings {
    /// The limits of the reference stack.
    pub const fn new(launcher: PathBuf, python: PathBuf) -> Self {
        Self {
            launcher,
            python,
            output_cap: 64 << 10,
            memory: 256 << 20,
            file_size: 8 << 20,
            processes: 512,
        }
    }
}

/// Why a program was not run.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// No place to work in.
    #[error("no working directory can be made")]
    Workspace(#[source] io::Error),
    /// The process cannot be started.
    #[error("`{program}` cannot be started")]
    Start {
        /// The program.
        program: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The process was lost.
    #[error("the process cannot be waited for")]
    Wait(#[source] io::Error),
}

/// What became of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    /// Its exit code; 128 + n after signal n.
    pub exit_code: i32,
    /// Whether it was ended because its time was over.
    pub timed_out: bool,
    /// Whether it wrote more than is kept.
    pub truncated: bool,
}

/// Runs Python programs.
#[derive(Clone, Debug)]
pub struct Python {
    settings: Arc<Settings>,
    orphans: Option<Orphans>,
}

impl Python {
    /// Ends the process group of each program; what left its group is not followed.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            orphans: None,
        }
    }

    /// Also adopts and ends what left its group. Only for a process that starts nothing but programs: every other
    /// child of it would be ended too.
    ///
    /// # Errors
    /// When the kernel does not let this process adopt orphans.
    pub fn adopting_orphans(settings: Settings) -> io::Result<Self> {
        set_child_subreaper(Some(rustix::process::getpid()))?;
        Ok(Self {
            settings: Arc::new(settings),
            orphans: Some(Orphans::default()),
        })
    }

    /// Runs `code` for at most `limit`.
    ///
    /// # Errors
    /// When it cannot be started; a program that fails is an [`Execution`].
    pub async fn execute(&self, code: &str, limit: Duration) -> Result<Execution, ExecuteError> {
        let workspace = workspace(code).map_err(ExecuteError::Workspace)?;
        let _running = self.orphans.as_ref().map(Orphans::enter);
        let mut process = self.start(workspace.path(), limit)?;
        let mut stdout = process
            .stdout
            .take()
            .map(|pipe| Reader::start(pipe, self.settings.output_cap));
        let mut stderr = process
            .stderr
            .take()
            .map(|pipe| Reader::start(pipe, self.settings.output_cap));
        let (status, timed_out) = wait(&mut process, limit)
            .await
            .map_err(ExecuteError::Wait)?;
        let closed = async {
            for reader in [&mut stdout, &mut stderr].into_iter().flatten() {
                reader.end().await;
            }
        };
        // Whether they closed in time does not matter: what was written so far is kept either way.
        let _ = tokio::time::timeout(CLOSING, closed).await;
        let [stdout, stderr] =
            [stdout, stderr].map(|reader| reader.map(Reader::take).unwrap_or_default());
        Ok(execution(status, timed_out, stdout, stderr))
    }

    fn start(&self, workspace: &Path, limit: Duration) -> Result<Child, ExecuteError> {
        let mut command = Command::new(&self.settings.launcher);
        command
            .args(self.limits(limit))
            .arg(&self.settings.python)
            .args(["-I", "-S", "-B", PROGRAM])
            .env_clear()
            .env("TMPDIR", workspace)
            .current_dir(workspace)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command.spawn().map_err(|source| ExecuteError::Start {
            program: self.settings.launcher.clone(),
            source,
        })
    }

    fn limits(&self, limit: Duration) -> Vec<OsString> {
        let Settings {
            memory,
            file_size,
            processes,
            ..
        } = *self.settings;
        let flags = format!(
            "run-limited --memory {memory} --cpu {} --file {file_size} --processes {processes} --open-files 128 --",
            limit.as_secs() + 1
        );
        flags.split(' ').map(OsString::from).collect()
    }
}

fn workspace(code: &str) -> io::Result<TempDir> {
    let workspace = tempfile::Builder::new().prefix("run-").tempdir()?;
    fs_err::write(workspace.path().join(PROGRAM), code)?;
    Ok(workspace)
}

/// Waits for the process, at most `limit`, and ends its whole group in any case.
async fn wait(process: &mut Child, limit: Duration) -> io::Result<(ExitStatus, bool)> {
    let group = process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let ended = tokio::time::timeout(limit, process.wait()).await;
    if let Some(group) = group {
        // The group may be gone already.
        let _ = kill_process_group(group, Signal::KILL);
    }
    match ended {
        Ok(status) => Ok((status?, false)),
        Err(_) => Ok((process.wait().await?, true)),
    }
}

fn execution(status: ExitStatus, timed_out: bool, stdout: Output, stderr: Output) -> Execution {
    use std::os::unix::process::ExitStatusExt as _;
    let signalled = || status.signal().map_or(-1, |signal| 128 + signal);
    Execution {
        exit_code: status.code().unwrap_or_else(signalled),
        timed_out,
        truncated: stdout.truncated || stderr.truncated,
        stdout: stdout.text,
        stderr: stderr.text,
    }
}

/// Ends processes that left their group, once no program runs: until then they might belong to one that does.
#[derive(Clone, Debug, Default)]
struct Orphans {
    running: Arc<AtomicUsize>,
}

/// A program is running.
struct Entered(Orphans);

impl Orphans {
    fn enter(&self) -> Entered {
        self.running.fetch_add(1, Ordering::SeqCst);
        Entered(self.clone())
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::SeqCst) == 1 {
            end_children();
        }
    }
}

/// Ends and reaps every child of this process; a child's own children become this process's and are ended next.
fn end_children() {
    const GENERATIONS: usize = 64;
    for _ in 0..GENERATIONS {
        let children = children();
        if children.is_empty() {
            return;
        }
        for child in children {
            // Gone is as good as ended.
            let _ = kill_process(child, Signal::KILL);
            let _ = waitpid(Some(child), WaitOptions::empty());
        }
    }
    tracing::warn!("processes of executed code outlive it");
}

/// The children of this process, by the parent that `/proc` names.
fn children() -> Vec<Pid> {
    let own = rustix::process::getpid();
    let entries = fs_err::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| {
        entry
            .file_name()
            .to_str()?
            .parse()
            .ok()
            .and_then(Pid::from_raw)
    });
    pids.filter(|pid| parent(*pid) == Some(own)).collect()
}

fn parent(pid: Pid) -> Option<Pid> {
    let stat = fs_err::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name in parentheses may hold anything, also parentheses.
    let (_, fields) = stat.rsplit_once(')')?;
    fields
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
        .and_then(Pid::from_raw)
}
