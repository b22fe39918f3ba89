//! `portproof validate` and `portproof schema`: scenario files without a cluster.

use super::printer::Printer;
use crate::exit::Exit;
use crate::scenario::{self, Scenario, ScenarioError};
use clap::Args;
use std::io;
use std::path::{Path, PathBuf};

/// Options of `validate`.
#[derive(Debug, Args)]
pub(super) struct Validate {
    /// Scenario files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

impl Validate {
    pub(super) fn run(self, printer: &Printer) -> Exit {
        let mut exit = Exit::Passed;
        for file in &self.files {
            match load(file) {
                Ok(scenario) => printer.result(&format!(
                    "{}: valid, {} steps",
                    file.display(),
                    scenario.steps.len()
                )),
                Err(error) => exit = error.print(printer),
            }
        }
        exit
    }
}

/// Why a scenario file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// It is not there, or no text.
    #[error("the scenario file `{}` cannot be read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It says what no scenario says.
    #[error("the scenario is not valid")]
    Invalid(Box<ScenarioError>),
}

impl LoadError {
    /// Says what is wrong and how the process ends for it.
    pub(super) fn print(&self, printer: &Printer) -> Exit {
        match self {
            Self::Invalid(error) => printer.text(&error.render(printer.color())),
            Self::Read { .. } => printer.error(
                self,
                Some("name a scenario file; those that come with portproof are in `scenarios/`"),
            ),
        }
        Exit::Usage
    }
}

/// Reads and checks a scenario file.
pub(super) fn load(file: &Path) -> Result<Scenario, LoadError> {
    let text = std::fs::read_to_string(file).map_err(|source| LoadError::Read {
        path: file.to_owned(),
        source,
    })?;
    scenario::load(file, &text).map_err(|error| LoadError::Invalid(Box::new(error)))
}

/// Prints the JSON Schema of scenario files.
pub(super) fn schema(printer: &Printer) -> Exit {
    printer.result(&scenario::schema());
    Exit::Passed
}
