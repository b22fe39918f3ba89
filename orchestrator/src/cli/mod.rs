//! The command line: one file per command, which parses, calls and prints.

mod image;
mod internal;
mod lab;
mod lab_build;
mod lab_status;
mod printer;

use crate::exit::Exit;
use clap::{Parser, Subcommand};
use image::ImageCommand;
use internal::{AddressGiver, NodeInit};
use lab::LabCommand;
use printer::Printer;

/// Proves that an agentic-AI stack moves from Kubernetes cluster A to cluster B unchanged.
#[derive(Debug, Parser)]
#[command(name = "portproof", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Two or more real Kubernetes clusters on this machine, without Docker or an image registry.
    #[command(subcommand)]
    Lab(LabCommand),
    /// The image of the reference stack, made without Docker.
    #[command(subcommand)]
    Image(ImageCommand),
    #[command(hide = true)]
    LabNodeInit(NodeInit),
    #[command(hide = true)]
    LabAddressGiver(AddressGiver),
}

/// Does what the command line asks; how it went.
pub fn run(cli: Cli) -> Exit {
    let printer = Printer::new();
    match cli.command {
        Command::Lab(command) => command.run(&printer),
        Command::Image(command) => command.run(&printer),
        Command::LabNodeInit(command) => command.run(&printer),
        Command::LabAddressGiver(command) => command.run(&printer),
    }
}

/// Runs a command's asynchronous part.
fn block_on<T>(work: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(work))
}
