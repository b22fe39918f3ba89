//! `portproof validate` and `portproof schema`: scenario files without a cluster.

use super::printer::Printer;
use crate::exit::Exit;
use crate::scenario::{self, Scenario, ScenarioError};
use clap::Args;
use std::io::{self, Read as _};
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
    /// It is not there, or not readable.
    #[error("the scenario file `{}` cannot be read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It is no text.
    #[error("the scenario file `{}` is not UTF-8 text: its byte {position} is none", path.display())]
    NotText { path: PathBuf, position: usize },
    /// It is longer than any scenario.
    #[error("the scenario file `{}` is larger than {} MiB", path.display(), LIMIT >> 20)]
    TooLarge { path: PathBuf },
    /// It says what no scenario says.
    #[error("the scenario is not valid")]
    Invalid(Box<ScenarioError>),
}

impl LoadError {
    /// Says what is wrong and how the process ends for it.
    pub(super) fn print(&self, printer: &Printer) -> Exit {
        match self {
            Self::Invalid(error) => printer.text(&error.render(printer.color())),
            Self::NotText { .. } => printer.error(self, Some("save it as UTF-8, without a BOM")),
            Self::Read { .. } | Self::TooLarge { .. } => printer.error(
                self,
                Some("name a scenario file; those that come with portproof are in `scenarios/`"),
            ),
        }
        Exit::Usage
    }
}

/// Largest scenario file, in bytes: an endless device ends here.
const LIMIT: u64 = 4 << 20;

fn read(file: &Path) -> Result<String, LoadError> {
    let path = || file.to_owned();
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .and_then(|open| open.take(LIMIT + 1).read_to_end(&mut bytes))
        .map_err(|source| LoadError::Read {
            path: path(),
            source,
        })?;
    if bytes.len() as u64 > LIMIT {
        return Err(LoadError::TooLarge { path: path() });
    }
    String::from_utf8(bytes).map_err(|error| LoadError::NotText {
        path: path(),
        position: error.utf8_error().valid_up_to() + 1,
    })
}

/// Reads and checks a scenario file.
pub(super) fn load(file: &Path) -> Result<Scenario, LoadError> {
    let text = read(file)?;
    scenario::load(file, &text).map_err(|error| LoadError::Invalid(Box::new(error)))
}

/// Prints the JSON Schema of scenario files.
pub(super) fn schema(printer: &Printer) -> Exit {
    printer.result(&scenario::schema());
    Exit::Passed
}
