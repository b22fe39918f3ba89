//! `portproof lab build`: the lab's components.

use super::printer::Printer;
use crate::exit::Exit;
use crate::lab::build::{self, BuildOptions, cache_directory};
use clap::Args;

/// Options of `lab build`.
#[derive(Debug, Args)]
pub(super) struct Build {
    /// Build only these components.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Keep Go's module and build caches for the next build.
    #[arg(long)]
    keep_caches: bool,
}

impl Build {
    pub(super) fn run(self, printer: &Printer) -> Exit {
        let options = BuildOptions {
            only: self.only,
            keep_caches: self.keep_caches,
            ..BuildOptions::new(cache_directory())
        };
        match build::build(&options, printer) {
            Ok(components) => {
                for built in components.all() {
                    printer.result(&format!(
                        "{} {} {}",
                        built.name,
                        built.version,
                        built.directory.display()
                    ));
                }
                Exit::Passed
            }
            Err(error) => {
                printer.error(&error, error.hint().as_deref());
                error.exit()
            }
        }
    }
}
