//! `portproof report`: makes the reports of a run again, from its event log.

use super::printer::Printer;
use super::write_reports;
use crate::exit::Exit;
use crate::run::directory::{DEFAULT_ROOT, DirectoryError, RunDirectory};
use crate::run::event::Event;
use crate::run::log::{self, LogError};
use clap::Args;
use std::error::Error;
use std::path::PathBuf;

/// Options of `report`.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// Id of the run, an unambiguous beginning of it, or `latest`.
    #[arg(default_value = "latest")]
    run: String,
    /// Directory that keeps runs.
    #[arg(
        long,
        default_value = DEFAULT_ROOT,
        env = "PORTPROOF_RUNS",
        value_name = "DIR"
    )]
    runs: PathBuf,
}

impl Report {
    pub(super) fn run(self, printer: &Printer) -> Exit {
        let (directory, events) = match self.read() {
            Ok(read) => read,
            Err(error) => {
                printer.error(error.as_ref(), Some(&hint(error.as_ref())));
                return Exit::Usage;
            }
        };
        match write_reports(&directory, &events, printer) {
            Ok(()) => Exit::Passed,
            Err(error) => {
                let hint = "is the disk full, or the directory of the run not to be written? Its log is untouched";
                printer.error(error.as_ref(), Some(hint));
                Exit::Doctor
            }
        }
    }

    fn read(&self) -> Result<(RunDirectory, Vec<Event>), Box<dyn Error + Send + Sync>> {
        let directory = RunDirectory::find(&self.runs, &self.run)?;
        let events = log::read(&directory.events())?;
        Ok((directory, events))
    }
}

/// What to do about a run that cannot be read.
fn hint(error: &(dyn Error + Send + Sync + 'static)) -> String {
    let hint = error
        .downcast_ref::<DirectoryError>()
        .and_then(DirectoryError::hint)
        .or_else(|| error.downcast_ref::<LogError>().and_then(LogError::hint));
    hint.unwrap_or_else(|| {
        "`--runs DIR` names the directory that keeps runs; reports are written into that of the run"
            .to_owned()
    })
}
