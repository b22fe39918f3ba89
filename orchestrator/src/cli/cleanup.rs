//! `portproof cleanup`: removes what a run created and nothing else, after a crash or from another machine.

use super::block_on;
use super::printer::Printer;
use crate::cluster::{self, Cluster, ClusterAccess, ClusterError};
use crate::exit::Exit;
use crate::ledger::{self, Ledger, LedgerError, LedgerRecord};
use crate::run::directory::{DirectoryError, RunDirectory};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Options of `cleanup`.
#[derive(Debug, Args)]
pub(super) struct Cleanup {
    /// Id of the run, an unambiguous beginning of it, or `latest`.
    run: String,
    /// Directory that keeps runs.
    #[arg(
        long,
        default_value = "runs",
        env = "PORTPROOF_RUNS",
        value_name = "DIR"
    )]
    runs: PathBuf,
    /// Time it may take, in seconds.
    #[arg(long, default_value_t = 120)]
    timeout: u64,
}

/// Why nothing could be cleaned.
#[derive(Debug, thiserror::Error)]
enum CleanupError {
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

impl CleanupError {
    fn exit(&self) -> Exit {
        match self {
            Self::Directory(DirectoryError::Io(_)) | Self::Ledger(_) => Exit::Unexpected,
            Self::Directory(_) => Exit::Usage,
            Self::Cluster(error) => error.exit(),
            Self::AnotherCluster { .. } => Exit::CleanupIncomplete,
        }
    }
}

impl Cleanup {
    pub(super) fn run(self, printer: &Printer) -> Exit {
        let done = block_on(self.clean(printer));
        match done {
            Ok(Ok(exit)) => exit,
            Ok(Err(error)) => {
                printer.error(&error, None);
                error.exit()
            }
            Err(error) => {
                printer.error(&error, None);
                Exit::Unexpected
            }
        }
    }

    async fn clean(&self, printer: &Printer) -> Result<Exit, CleanupError> {
        let directory = RunDirectory::find(&self.runs, &self.run)?;
        let record = match ledger::read(&directory.ledger()) {
            Ok(record) => record,
            // Without a first line nothing was created: the ledger is begun before anything is asked for.
            Err(LedgerError::Headless { .. }) => return Ok(nothing(printer, directory.name())),
            Err(LedgerError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(nothing(printer, directory.name()));
            }
            Err(error) => return Err(error.into()),
        };
        let ledger = Ledger::open(&directory.ledger())?;
        let mut exit = Exit::Passed;
        for cluster in &record.header.clusters {
            let left = self
                .clean_cluster(&record, &ledger, &cluster.uid, printer)
                .await?;
            if left {
                exit = Exit::CleanupIncomplete;
            }
        }
        Ok(exit)
    }

    async fn clean_cluster(
        &self,
        record: &LedgerRecord,
        ledger: &Ledger,
        uid: &str,
        printer: &Printer,
    ) -> Result<bool, CleanupError> {
        let Some(entry) = record.header.clusters.iter().find(|entry| entry.uid == uid) else {
            return Ok(false);
        };
        let access: ClusterAccess = entry.access.clone();
        let cluster = Cluster::connect(entry.role.clone(), access).await?;
        if cluster.uid() != entry.uid {
            return Err(CleanupError::AnotherCluster {
                role: entry.role.to_string(),
                expected: entry.uid.clone(),
                found: cluster.uid().to_owned(),
            });
        }
        let outstanding = record.outstanding(uid);
        let deadline = Duration::from_secs(self.timeout);
        let report = cluster::cleanup(
            &cluster,
            &record.header.run_id,
            outstanding,
            Some(ledger),
            deadline,
        )
        .await;
        printer.result(&format!(
            "cluster {}: {} objects removed",
            entry.role, report.removed
        ));
        for kept in &report.kept {
            printer.result(&format!(
                "cluster {}: kept {}: {}",
                entry.role, kept.object, kept.reason
            ));
        }
        for left in &report.left {
            printer.result(&format!(
                "cluster {}: LEFT {}: {}",
                entry.role, left.object, left.reason
            ));
        }
        Ok(!report.left.is_empty())
    }
}

fn nothing(printer: &Printer, run: &str) -> Exit {
    printer.result(&format!("run {run} created nothing"));
    Exit::Passed
}
