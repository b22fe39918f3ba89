//! Clean-up by the ledger in the run directory.

use super::{print_report, worse};
use crate::cli::printer::Printer;
use crate::cluster::{self, Cluster, ClusterError};
use crate::exit::Exit;
use crate::ledger::{self, Ledger, LedgerCluster, LedgerError, LedgerRecord};
use crate::run::directory::{DirectoryError, RunDirectory};
use std::path::Path;
use std::time::Duration;

/// Why nothing could be cleaned, or nothing on one cluster.
#[derive(Debug, thiserror::Error)]
enum CleanError {
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("cluster {role} is another one now: the run worked on {expected}, {found} answers")]
    AnotherCluster {
        role: String,
        expected: String,
        found: String,
    },
}

impl CleanError {
    fn exit(&self) -> Exit {
        match self {
            Self::Directory(DirectoryError::Io(_)) | Self::Ledger(_) => Exit::Unexpected,
            Self::Directory(_) => Exit::Usage,
            Self::Cluster(error) => error.exit(),
            Self::AnotherCluster { .. } => Exit::CleanupIncomplete,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Directory(error) => error.hint(),
            Self::Ledger(_) => Some(
                "clean up by label instead: name the clusters with `--lab`, `--scenario` or `--kubeconfig`"
                    .to_owned(),
            ),
            Self::Cluster(error) => error.hint(),
            Self::AnotherCluster { .. } => Some(
                "if the old cluster is gone, all of the run that was on it is gone too; if only its address changed, \
                 name it with `--kubeconfig` and `--context`"
                    .to_owned(),
            ),
        }
    }

    fn print(&self, printer: &Printer) -> Exit {
        printer.error(self, self.hint().as_deref());
        self.exit()
    }
}

/// One clean-up by ledger.
pub(super) struct ByLedger<'a> {
    runs: &'a Path,
    wanted: &'a str,
    deadline: Duration,
}

impl<'a> ByLedger<'a> {
    pub(super) const fn new(runs: &'a Path, wanted: &'a str, deadline: Duration) -> Self {
        Self {
            runs,
            wanted,
            deadline,
        }
    }

    /// Cleans every cluster of the run; one that cannot be reached keeps no other from being cleaned.
    pub(super) async fn clean(&self, printer: &Printer) -> Exit {
        match RunDirectory::find(self.runs, self.wanted) {
            Ok(directory) => self.clean_run(&directory, printer).await,
            Err(error) => CleanError::from(error).print(printer),
        }
    }

    async fn clean_run(&self, directory: &RunDirectory, printer: &Printer) -> Exit {
        match open(directory) {
            Ok(Some((record, ledger))) => self.clean_all(&record, &ledger, printer).await,
            Ok(None) => {
                printer.result(&format!("run {} created nothing", directory.name()));
                Exit::Passed
            }
            Err(error) => error.print(printer),
        }
    }

    async fn clean_all(&self, record: &LedgerRecord, ledger: &Ledger, printer: &Printer) -> Exit {
        let mut exit = Exit::Passed;
        for entry in &record.header.clusters {
            let cleaned = self.clean_cluster(record, ledger, entry, printer).await;
            let cleaned = cleaned.unwrap_or_else(|error| error.print(printer));
            exit = worse(exit, cleaned);
        }
        exit
    }

    async fn clean_cluster(
        &self,
        record: &LedgerRecord,
        ledger: &Ledger,
        entry: &LedgerCluster,
        printer: &Printer,
    ) -> Result<Exit, CleanError> {
        let cluster = Cluster::connect(entry.role.clone(), entry.access.clone()).await?;
        if cluster.uid() != entry.uid {
            return Err(CleanError::AnotherCluster {
                role: entry.role.to_string(),
                expected: entry.uid.clone(),
                found: cluster.uid().to_owned(),
            });
        }
        let report = cluster::cleanup(
            &cluster,
            &record.header.run_id,
            record.outstanding(&entry.uid),
            Some(ledger),
            self.deadline,
        )
        .await;
        let place = format!("cluster {}", entry.role);
        Ok(print_report(&place, &report, printer))
    }
}

/// The ledger of a run. Without a first line nothing was created: it is begun before anything is asked for.
fn open(directory: &RunDirectory) -> Result<Option<(LedgerRecord, Ledger)>, CleanError> {
    match ledger::read(&directory.ledger()) {
        Ok(record) => Ok(Some((record, Ledger::open(&directory.ledger())?))),
        Err(LedgerError::Headless { .. }) => Ok(None),
        Err(LedgerError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
