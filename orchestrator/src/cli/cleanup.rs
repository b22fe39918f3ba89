//! `portproof cleanup`: removes what a run created and nothing else, after a crash or from another machine.

mod by_label;
mod by_ledger;
mod target;

use super::block_on;
use super::printer::Printer;
use crate::cluster::CleanupReport;
use crate::exit::Exit;
use crate::run::directory::DEFAULT_ROOT;
use by_label::ByLabel;
use by_ledger::ByLedger;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use target::Clusters;

/// Options of `cleanup`.
#[derive(Debug, Args)]
pub(super) struct Cleanup {
    /// Id of the run, an unambiguous beginning of it, or, where its run directory is, `latest`.
    #[arg(required_unless_present = "list")]
    run: Option<String>,
    #[command(flatten)]
    clusters: Clusters,
    /// Only tell which runs left something on the clusters, since when, and whether they have expired.
    #[arg(long, conflicts_with = "run", requires = "clusters")]
    list: bool,
    /// Directory that keeps runs.
    #[arg(
        long,
        default_value = DEFAULT_ROOT,
        env = "PORTPROOF_RUNS",
        value_name = "DIR"
    )]
    runs: PathBuf,
    /// Time it may take, in seconds.
    #[arg(
        long,
        default_value_t = 120,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    timeout: u64,
}

impl Cleanup {
    pub(super) fn run(self, printer: &Printer) -> Exit {
        let deadline = Duration::from_secs(self.timeout);
        let done = block_on(async {
            let Some(targets) = self.clusters.targets() else {
                let wanted = self.run.unwrap_or_default();
                return ByLedger::new(&self.runs, &wanted, deadline)
                    .clean(printer)
                    .await;
            };
            match targets {
                Ok(targets) => {
                    let by_label = ByLabel::new(targets, deadline);
                    match &self.run {
                        Some(wanted) => by_label.clean(wanted, printer).await,
                        None => by_label.list(printer).await,
                    }
                }
                Err(error) => error.print(printer),
            }
        });
        done.unwrap_or_else(|error| {
            printer.error(&error, None);
            Exit::Unexpected
        })
    }
}

/// Prints what was done on one cluster; whether something is left there.
fn print_report(place: &str, report: &CleanupReport, printer: &Printer) -> Exit {
    printer.result(&format!("{place}: {} objects removed", report.removed));
    for draining in &report.draining {
        printer.result(&format!(
            "{place}: still draining, ends by itself: {draining}"
        ));
    }
    for kept in &report.kept {
        printer.result(&format!("{place}: kept {}: {}", kept.object, kept.reason));
    }
    for left in &report.left {
        printer.result(&format!("{place}: LEFT {}: {}", left.object, left.reason));
    }
    if report.left.is_empty() {
        Exit::Passed
    } else {
        Exit::CleanupIncomplete
    }
}

/// Of two ends the one that says more: trouble weighs more than left-overs, left-overs more than nothing.
const fn worse(one: Exit, other: Exit) -> Exit {
    if weight(other) > weight(one) {
        other
    } else {
        one
    }
}

const fn weight(exit: Exit) -> u8 {
    match exit {
        Exit::Passed => 0,
        Exit::CleanupIncomplete => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_on_one_cluster_is_not_hidden_by_another() {
        use Exit::{CleanupIncomplete, Infrastructure, Passed};
        assert_eq!(worse(Passed, Passed), Passed);
        for (one, other, both) in [
            (Passed, CleanupIncomplete, CleanupIncomplete),
            (CleanupIncomplete, Infrastructure, Infrastructure),
            (Passed, Infrastructure, Infrastructure),
        ] {
            assert_eq!((worse(one, other), worse(other, one)), (both, both));
        }
    }
}
