//! The end of a run: everything the ledger names goes, on every cluster side by side.

use super::connect::Reached;
use super::directory::RunDirectory;
use super::dispatcher::{EventSender, Stop};
use super::event::EventKind;
use super::executor::milliseconds;
use super::id::RunId;
use crate::cluster::{self, Cluster};
use crate::ledger::{self, Ledger};
use futures::future::join_all;
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_mins(1);

/// What clean-up did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cleaned {
    pub removed: u32,
    pub left: Vec<String>,
}

/// Cleans up after a run, unless the user asked to end at once; then it says what is left.
pub(super) async fn run(
    run: &RunId,
    directory: &RunDirectory,
    ledger: &Ledger,
    clusters: &[Reached],
    stop: &Stop,
    events: &EventSender,
) -> Cleaned {
    let began = Instant::now();
    let all = clusters
        .iter()
        .map(|reached| clean(run, directory, ledger, &reached.cluster));
    let cleaned = tokio::select! {
        biased;
        () = stop.at_once.cancelled() => vec![Cleaned {
            removed: 0,
            left: vec![format!("clean-up was cut short: run `portproof cleanup {run}`")],
        }],
        cleaned = join_all(all) => cleaned,
    };
    let cleaned = cleaned
        .into_iter()
        .fold(Cleaned::default(), Cleaned::joined);
    events.send(EventKind::CleanupFinished {
        removed: cleaned.removed,
        left: cleaned.left.clone(),
        elapsed_ms: milliseconds(began),
    });
    cleaned
}

async fn clean(
    run: &RunId,
    directory: &RunDirectory,
    ledger: &Ledger,
    cluster: &Cluster,
) -> Cleaned {
    let record = match ledger::read(&directory.ledger()) {
        Ok(record) => record,
        Err(error) => {
            return Cleaned {
                removed: 0,
                left: vec![format!(
                    "{}: the ledger cannot be read ({error})",
                    cluster.role()
                )],
            };
        }
    };
    let outstanding = record.outstanding(cluster.uid());
    let report = cluster::cleanup(cluster, run.as_str(), outstanding, Some(ledger), DEADLINE).await;
    let left = report
        .left
        .iter()
        .map(|left| format!("{}: {} ({})", cluster.role(), left.object, left.reason));
    Cleaned {
        removed: report.removed,
        left: left.collect(),
    }
}

impl Cleaned {
    fn joined(mut self, other: Self) -> Self {
        self.removed += other.removed;
        self.left.extend(other.left);
        self
    }
}
