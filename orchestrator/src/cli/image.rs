//! `portproof image`: the image of the reference stack, written without an engine.

use super::lab::cache;
use super::printer::Printer;
use crate::exit::Exit;
use crate::lab::image::{self, ImageError, ImageRef};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What to do with the image.
#[derive(Debug, Subcommand)]
pub(super) enum ImageCommand {
    /// Write the image as a tar that containerd, `kind load image-archive` and `docker load` read.
    Build(Build),
}

/// Options of `image build`.
#[derive(Debug, Args)]
pub(super) struct Build {
    /// The `agent-stack` program, when it is not beside this one.
    #[arg(long, value_name = "FILE")]
    agent_stack: Option<PathBuf>,
    /// Where to write the tar.
    #[arg(short, long, value_name = "TAR")]
    output: PathBuf,
}

impl ImageCommand {
    pub(super) fn run(self, printer: &Printer) -> Exit {
        let Self::Build(build) = self;
        match build.write() {
            Ok(image) => {
                printer.result(&format!("{} {}", image.name, image.digest));
                Exit::Passed
            }
            Err(error) => {
                printer.error(&error, None);
                Exit::Doctor
            }
        }
    }
}

impl Build {
    fn write(self) -> Result<ImageRef, ImageError> {
        let program = match self.agent_stack {
            Some(program) => program,
            None => image::agent_stack::beside_this_program()?,
        };
        image::agent_stack(&program, &self.output, &cache())
    }
}
