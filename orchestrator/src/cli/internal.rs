//! Commands that portproof calls itself by. They log to standard error, which their starter keeps in a file.

use super::block_on;
use super::printer::Printer;
use crate::exit::Exit;
use crate::lab::{LabError, address, node};
use clap::Args;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// Process 1 of a lab's node.
#[derive(Debug, Args)]
pub(super) struct NodeInit {
    /// The node's configuration.
    config: PathBuf,
    /// A word by which this start is known.
    #[arg(long)]
    launch: String,
}

impl NodeInit {
    pub(super) fn run(self, printer: &Printer) -> Exit {
        log_to_stderr();
        tracing::debug!(launch = self.launch, "starting");
        outcome(node::init::run(&self.config), printer)
    }
}

/// Gives addresses to LoadBalancer Services.
#[derive(Debug, Args)]
pub(super) struct AddressGiver {
    /// Kubeconfig of the cluster.
    #[arg(long)]
    kubeconfig: PathBuf,
    /// An address to give; may be repeated.
    #[arg(long = "address", required = true)]
    addresses: Vec<Ipv4Addr>,
}

impl AddressGiver {
    pub(super) fn run(self, printer: &Printer) -> Exit {
        log_to_stderr();
        let work = address::give_addresses(&self.kubeconfig, &self.addresses);
        match block_on(work) {
            Ok(given) => outcome(given, printer),
            Err(error) => {
                printer.error(&error, None);
                Exit::Unexpected
            }
        }
    }
}

fn outcome(result: Result<(), LabError>, printer: &Printer) -> Exit {
    match result {
        Ok(()) => Exit::Passed,
        Err(error) => {
            printer.error(&error, error.hint().as_deref());
            error.exit()
        }
    }
}

fn log_to_stderr() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
}
