//! One run: the dispatcher that writes every event, the executor that drives the steps, and what is left on disk.

mod carried;
mod cleanup;
mod connect;
pub mod directory;
pub mod dispatcher;
pub mod event;
mod executor;
pub mod id;
pub mod leftovers;
pub mod log;
mod plan;
mod session;
mod steps;
mod trace_id;
pub mod upstream;

use crate::cluster::UpstreamAccess;
use crate::exit::Exit;
use crate::provider::Resolved;
use crate::report::{self, ExitPolicy};
use crate::scenario::Scenario;
use directory::{DirectoryError, RunDirectory};
use dispatcher::{Dispatcher, Driven, Listener, Stop};
use event::EventKind;
use executor::{Executor, milliseconds};
use id::RunId;
use jiff::Timestamp;
use log::{EventLog, LogError};
use plan::RunPlan;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Instant;
use uuid::Uuid;

/// What to run, and where its traces on this machine go.
pub struct RunRequest {
    /// The checked scenario.
    pub scenario: Scenario,
    /// Directory of all runs.
    pub runs: PathBuf,
    /// Full name of the stack's image, tag included.
    pub image: String,
    /// What lets the stack in at the model server of the scenario.
    pub upstream: UpstreamAccess,
    /// What else than a MUST fails the run.
    pub policy: ExitPolicy,
}

/// How a run ended.
pub struct RunEnd {
    /// Its directory.
    pub directory: RunDirectory,
    /// Every event, the source of all reports.
    pub events: Vec<event::Event>,
    /// The exit code it stands for.
    pub exit: Exit,
}

/// Why there is no run at all; what goes wrong inside a run is in its events.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The run directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The event log cannot be written, and without it there is no verdict.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The process cannot listen to signals.
    #[error("the process cannot listen to signals")]
    Signals(#[source] io::Error),
}

/// Runs a scenario on the clusters that `clusters` resolves to, from the first event to the last clean-up.
///
/// # Errors
/// Only when the run's own files cannot be written; everything else ends up in the events.
pub async fn run(
    request: RunRequest,
    listener: Box<dyn Listener>,
    clusters: impl Future<Output = Result<Vec<Resolved>, Box<dyn Error + Send + Sync>>>,
) -> Result<RunEnd, RunError> {
    let began = Instant::now();
    let run = RunId::new(Timestamp::now(), Uuid::new_v4().as_u64_pair().1);
    let directory = RunDirectory::create(&request.runs, &run)?;
    let stop = Stop::default();
    let mut dispatcher = Dispatcher {
        log: EventLog::create(&directory.events())?,
        listener,
        signals: dispatcher::listen_to_signals().map_err(RunError::Signals)?,
        stop: stop.clone(),
    };
    dispatcher.write(started(&run, &request.scenario))?;
    let (events, receiver) = dispatcher::channel();
    let plan = RunPlan {
        run,
        scenario: request.scenario,
        image: request.image,
        upstream: request.upstream,
    };
    let executor = Executor {
        plan,
        directory: &directory,
        events,
        stop,
    };
    let driven = dispatcher
        .drive(receiver, executor.execute(clusters))
        .await?;
    finish(driven, directory, request.policy, began)
}

fn started(run: &RunId, scenario: &Scenario) -> EventKind {
    EventKind::RunStarted {
        format: event::FORMAT,
        run_id: run.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: scenario.name.clone(),
        description: scenario.description.clone(),
        scenario_digest: scenario.digest.to_string(),
        faults: scenario
            .faults
            .iter()
            .map(|planned| planned.fault.word().to_owned())
            .collect(),
    }
}

fn finish(
    driven: Driven<cleanup::Cleaned>,
    directory: RunDirectory,
    policy: ExitPolicy,
    began: Instant,
) -> Result<RunEnd, RunError> {
    let mut dispatcher = driven.dispatcher;
    let exit = report::exit(dispatcher.log.events(), policy);
    dispatcher.write(EventKind::RunFinished {
        exit_code: exit.code(),
        elapsed_ms: milliseconds(began),
    })?;
    let events = dispatcher.log.events().to_vec();
    Ok(RunEnd {
        directory,
        events,
        exit,
    })
}
