//! `portproof validate` and `portproof schema`: scenario files without a cluster.

use super::printer::Printer;
use crate::exit::Exit;
use crate::scenario;
use clap::Args;
use std::path::PathBuf;

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
            let valid = match std::fs::read_to_string(file) {
                Ok(text) => {
                    scenario::load(file, &text).map_err(|error| error.render(printer.color()))
                }
                Err(error) => Err(format!(
                    "error: `{}` cannot be read: {error}",
                    file.display()
                )),
            };
            match valid {
                Ok(scenario) => printer.result(&format!(
                    "{}: valid, {} steps",
                    file.display(),
                    scenario.steps.len()
                )),
                Err(text) => {
                    printer.text(&text);
                    exit = Exit::Usage;
                }
            }
        }
        exit
    }
}

/// Prints the JSON Schema of scenario files.
pub(super) fn schema(printer: &Printer) -> Exit {
    printer.result(&scenario::schema());
    Exit::Passed
}
