//! `portproof image`: the image of the reference stack.

use super::printer::Printer;
use crate::exit::Exit;
use crate::lab::build::cache_directory;
use crate::lab::image::{ImageError, ImageRef, agent_stack};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What to do with images.
#[derive(Debug, Subcommand)]
pub(super) enum ImageCommand {
    /// Write the image as one tar: an OCI image layout that containerd, kind and Docker load.
    Build(BuildImage),
}

/// Options of `image build`.
#[derive(Debug, Args)]
pub(super) struct BuildImage {
    /// The agent-stack program; usually the one beside portproof.
    #[arg(long)]
    agent_stack: Option<PathBuf>,
    /// The tar to write.
    #[arg(short, long, default_value = "agent-stack.tar")]
    output: PathBuf,
}

impl ImageCommand {
    pub(super) fn run(self, printer: &Printer) -> Exit {
        let Self::Build(build) = self;
        match build.run() {
            Ok(image) => {
                printer.result(&format!(
                    "{} {} {}",
                    image.name,
                    image.digest,
                    image.tar.display()
                ));
                Exit::Passed
            }
            Err(error) => {
                printer.error(&error, error.hint().as_deref());
                error.exit()
            }
        }
    }
}

impl BuildImage {
    fn run(self) -> Result<ImageRef, ImageError> {
        let program = self
            .agent_stack
            .map_or_else(agent_stack::beside_this_program, Ok)?;
        agent_stack::agent_stack(&program, &self.output, &cache_directory())
    }
}
