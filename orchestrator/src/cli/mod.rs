//! The command line: one file per command, which parses, calls and prints.

mod cleanup;
mod image;
mod internal;
mod lab;
mod lab_kubectl;
mod lab_status;
mod live;
mod printer;
mod rbac;
mod report;
mod run;
mod scenario;

use crate::exit::Exit;
use crate::report::RunSummary;
use crate::run::directory::RunDirectory;
use crate::run::event::Event;
use clap::{Parser, Subcommand};
use internal::{AddressGiver, NodeInit};
use lab::LabCommand;
use printer::Printer;

const EXIT_CODES: &str = "\
Exit codes:
    0  all checks passed               8  a MUST check failed
    1  unexpected error                9  only SHOULD checks failed, and --fail-on-should was given
    2  wrong usage or invalid file    10  no verdict: infrastructure failed, or no evidence
    3  this machine cannot do it      11  passed, but clean-up left something behind
    4  nothing was checked           130  interrupted (SIGINT)
    5  passed, but steps were skipped 143  interrupted (SIGTERM)";

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
    /// Run a scenario: provision, carry, verify, report, clean up.
    #[command(after_help = EXIT_CODES)]
    Run(run::Run),
    /// Make the reports of a run again, from its event log.
    Report(report::Report),
    /// Remove what a run created, and nothing else.
    Cleanup(cleanup::Cleanup),
    /// Check scenario files without a cluster.
    Validate(scenario::Validate),
    /// Print the JSON Schema of scenario files.
    Schema,
    /// The rights that a run needs in a cluster.
    #[command(subcommand)]
    Rbac(rbac::RbacCommand),
    /// The image of the reference stack.
    #[command(subcommand)]
    Image(image::ImageCommand),
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
        Command::Run(command) => command.run(&printer),
        Command::Report(command) => command.run(&printer),
        Command::Cleanup(command) => command.run(&printer),
        Command::Validate(command) => command.run(&printer),
        Command::Schema => scenario::schema(&printer),
        Command::Rbac(command) => command.run(&printer),
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

/// Writes every report of a run beside its event log and prints the one for the terminal.
fn write_reports(
    directory: &RunDirectory,
    events: &[Event],
    printer: &Printer,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let summary = RunSummary::of(events);
    let mut junit = Vec::new();
    crate::report::junit(&summary, &mut junit)?;
    directory.write("junit.xml", &junit)?;
    directory.write("report.json", crate::report::json(&summary)?.as_bytes())?;
    let html = directory.write("report.html", crate::report::html(&summary)?.as_bytes())?;
    printer.result(&crate::report::terminal(&summary, printer.style()));
    if summary
        .cleanup
        .as_ref()
        .is_some_and(|it| !it.left.is_empty())
    {
        let command = directory.cleanup_command();
        printer.result(&format!("to clean up: {command}"));
    }
    printer.result(&format!("report: {}", html.display()));
    Ok(())
}
