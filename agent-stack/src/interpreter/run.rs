//! Runs one Python program: starts its supervisor, takes in its output, and hands out what it left.

use super::admission::{Admission, Busy};
use super::limits::Limits;
use super::output::Output;
use super::report::{Confinement, Ended, EndedBy, Order, Refusal, Report, Usage};
use super::settings::Settings;
use super::supervisor::{Supervisor, Supervisors};
use super::workspace::{OutputFiles, Program, Workspace, Workspaces};
use rustix::process::getpid;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Why a program was not run.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// There is no room.
    #[error(transparent)]
    Busy(Busy),
    /// No place to work in.
    #[error("the workspace cannot be used")]
    Workspace(#[source] io::Error),
    /// The supervisor cannot be started.
    #[error("`{program}` cannot be started")]
    Start {
        /// The program.
        program: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The supervisor ended without a report, or did not end.
    #[error("the supervisor of the run was lost")]
    Lost(#[source] io::Error),
    /// A layer of confinement is missing that is required.
    #[error(
        "this kernel does not confine programs as required: Landlock is {}, seccomp {}",
        .confinement.landlock.name(),
        .confinement.seccomp.name()
    )]
    Unconfined {
        /// What there is.
        confinement: Confinement,
    },
    /// The supervisor could not run it.
    #[error("the program was not run: {reason}")]
    NotRun {
        /// The supervisor's reason.
        reason: String,
    },
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
    /// What ended it.
    pub ended_by: EndedBy,
    /// Whether it wrote more than is kept.
    pub truncated: bool,
    /// Files it made or changed.
    pub files: OutputFiles,
    /// The limits that held for it.
    pub limits: Limits,
    /// What it used.
    pub usage: Usage,
    /// What confined it.
    pub confinement: Confinement,
}

impl Execution {
    /// Whether it was ended because its time was over.
    pub fn timed_out(&self) -> bool {
        self.ended_by == EndedBy::WallClock
    }
}

/// Runs Python programs.
#[derive(Clone, Debug)]
pub struct Python {
    settings: Arc<Settings>,
    workspaces: Arc<Workspaces>,
    admission: Admission,
    supervisors: Supervisors,
    adopts: bool,
}

impl Python {
    /// Runs programs from within any process.
    pub fn new(settings: Settings) -> Self {
        Self {
            workspaces: Arc::new(Workspaces::new(
                settings.workspaces.clone(),
                settings.wiped.clone(),
            )),
            admission: Admission::new(settings.concurrency, settings.queue),
            settings: Arc::new(settings),
            supervisors: Supervisors::default(),
            adopts: false,
        }
    }

    /// Also adopts and ends the program of a supervisor that was killed. Only for a process that starts nothing but
    /// programs and alone uses its directory of workspaces: every other child of it would be ended too, and what an
    /// earlier interpreter left in that directory is wiped.
    ///
    /// # Errors
    /// When the kernel does not let this process adopt orphans, or the directory cannot be used.
    pub fn adopting_orphans(settings: Settings) -> io::Result<Self> {
        rustix::process::set_child_subreaper(Some(getpid()))?;
        let python = Self {
            adopts: true,
            ..Self::new(settings)
        };
        python.workspaces.reset()?;
        Ok(python)
    }

    /// How programs are run.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Runs `program` within `limits`, or waits until it may. A caller that drops this future ends the run.
    ///
    /// # Errors
    /// When it cannot be run; a program that fails is an [`Execution`].
    pub async fn execute(
        &self,
        program: Program,
        limits: Limits,
    ) -> Result<Execution, ExecuteError> {
        let permit = self.admission.enter().await.map_err(ExecuteError::Busy)?;
        let cancelled = CancellationToken::new();
        let _cancel = cancelled.clone().drop_guard();
        let python = self.clone();
        // Of its own, because also a run that nobody waits for has to be ended, wiped and only then followed by another.
        let run = tokio::spawn(async move {
            let execution = python.run(program, limits, &cancelled).await;
            drop(permit);
            execution
        });
        run.await
            .unwrap_or_else(|lost| Err(ExecuteError::Lost(lost.into())))
    }

    /// Runs a program that does nothing, to find out what confines programs here.
    ///
    /// # Errors
    /// When it cannot be run.
    pub async fn confinement(&self) -> Result<Confinement, ExecuteError> {
        let limits = self.settings.limits.default_limits();
        let execution = self.execute(Program::new("pass"), limits).await?;
        Ok(execution.confinement)
    }

    async fn run(
        &self,
        program: Program,
        limits: Limits,
        cancelled: &CancellationToken,
    ) -> Result<Execution, ExecuteError> {
        let workspaces = Arc::clone(&self.workspaces);
        let (workspace, program) = blocking(move || {
            let workspace = workspaces.take()?;
            workspace.fill(&program)?;
            Ok((workspace, program))
        })
        .await?;
        let supervised = self.supervise(&workspace, limits, cancelled).await;
        let caps = self.settings.files;
        // The workspace is wiped when it is dropped there, before the answer leaves.
        let files = blocking(move || workspace.changed(&program, caps)).await?;
        let (ended, outputs) = supervised?;
        Ok(execution(ended, outputs, files, limits))
    }

    async fn supervise(
        &self,
        workspace: &Workspace,
        limits: Limits,
        cancelled: &CancellationToken,
    ) -> Result<(Ended, [Output; 2]), ExecuteError> {
        let order = self.order(workspace, limits);
        let mut supervisor = Supervisor::start(&order, &self.supervisors)?;
        let report = supervisor.report(&limits, cancelled).await;
        let outputs = supervisor.outputs().await;
        drop(supervisor);
        if self.adopts && !is_clean(&report) {
            let supervisors = self.supervisors.clone();
            blocking(move || {
                supervisors.end_orphans();
                Ok(())
            })
            .await?;
        }
        match report? {
            Report::Ended(ended) => Ok((ended, outputs)),
            Report::Refused(Refusal::Unconfined(confinement)) => {
                Err(ExecuteError::Unconfined { confinement })
            }
            Report::Refused(Refusal::Failed(reason)) => Err(ExecuteError::NotRun { reason }),
        }
    }

    fn order(&self, workspace: &Workspace, limits: Limits) -> Order {
        Order {
            launcher: self.settings.launcher.clone(),
            python: self.settings.python.clone(),
            workspace: workspace.path().to_path_buf(),
            shared: self.settings.wiped.clone(),
            limits,
            user_processes: self.settings.user_processes,
            readable: self.settings.readable.clone(),
            server: getpid().as_raw_nonzero().get(),
            require_confinement: self.settings.require_confinement,
        }
    }
}

/// Whether the supervisor has seen to everything of its run.
fn is_clean(report: &Result<Report, ExecuteError>) -> bool {
    match report {
        Ok(Report::Ended(ended)) => !ended.survivors,
        Ok(Report::Refused(_)) => true,
        Err(_) => false,
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ExecuteError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::from)
        .flatten()
        .map_err(ExecuteError::Workspace)
}

fn execution(
    ended: Ended,
    [stdout, stderr]: [Output; 2],
    files: OutputFiles,
    limits: Limits,
) -> Execution {
    let Ended {
        cause,
        exit_code,
        usage,
        confinement,
        survivors,
    } = ended;
    if survivors {
        tracing::error!("processes of a run may outlive it");
    }
    Execution {
        exit_code,
        ended_by: cause,
        truncated: stdout.truncated || stderr.truncated,
        stdout: stdout.text,
        stderr: stderr.text,
        files,
        limits,
        usage,
        confinement,
    }
}
