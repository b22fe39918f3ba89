//! `portproof report`: makes the reports of a run again, from its event log.

use super::printer::Printer;
use super::write_reports;
use crate::exit::Exit;
use crate::run::directory::{DEFAULT_ROOT, DirectoryError, RunDirectory};
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
        match self.write(printer) {
            Ok(()) => Exit::Passed,
            Err(error) => {
                let hint = error
                    .downcast_ref::<DirectoryError>()
                    .and_then(DirectoryError::hint)
                    .or_else(|| error.downcast_ref::<LogError>().and_then(LogError::hint));
                let hint = hint.unwrap_or_else(|| {
                    "`--runs DIR` names the directory that keeps runs; reports are written into that of the run"
                        .to_owned()
                });
                printer.error(error.as_ref(), Some(&hint));
                Exit::Usage
            }
        }
    }

    fn write(&self, printer: &Printer) -> Result<(), Box<dyn Error + Send + Sync>> {
        let directory = RunDirectory::find(&self.runs, &self.run)?;
        let events = log::read(&directory.events())?;
        write_reports(&directory, &events, printer)
    }
}
