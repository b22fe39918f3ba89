//! The write-ahead record of everything a run creates, by cluster identity and object UID.
//!
//! A line is on disk before the object is asked for, and another once its UID is known. Whatever moment the process ends
//! at, the file names everything that may be left behind.

mod record;
mod write;

pub use record::{LedgerRecord, Outstanding, read};
pub use write::Ledger;

use crate::cluster::{ClusterAccess, ObjectId};
use crate::verify::Role;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

/// Version of the ledger format.
pub const FORMAT: u32 = 1;

/// Why a ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It could not be made, read or written.
    #[error("the ledger cannot be read or written")]
    Io(#[from] io::Error),
    /// A line could not be written as JSON.
    #[error("a ledger entry cannot be written as JSON")]
    Serialise(#[source] serde_json::Error),
    /// There is no whole first line. Nothing was created: the first line is on disk before anything else happens.
    #[error("the ledger `{}` ends before its first line does", path.display())]
    Headless {
        /// The file.
        path: PathBuf,
    },
    /// Another version of portproof wrote it.
    #[error("the ledger `{}` has format {found}, this version reads {FORMAT}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The format it names.
        found: u32,
    },
    /// A line before the last is no entry.
    #[error("line {line} of `{}` is not a ledger entry", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Counts from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// The first line: what cleaning up needs to know besides the entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerHeader {
    /// [`FORMAT`].
    pub format: u32,
    /// Id of the run.
    pub run_id: String,
    /// Namespace of the run, the same on every cluster.
    pub namespace: String,
    /// The clusters the run works on.
    pub clusters: Vec<LedgerCluster>,
}

/// One cluster of a run: which one it is and how it was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerCluster {
    /// Its role in the scenario.
    pub role: Role,
    /// UID of its `kube-system` namespace.
    pub uid: String,
    /// How it was reached.
    pub access: ClusterAccess,
}

/// One line behind the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub(crate) enum Entry {
    /// The object is about to be asked for.
    Intent {
        cluster_uid: String,
        object: ObjectId,
    },
    /// The API server made it.
    Created {
        cluster_uid: String,
        object: ObjectId,
        uid: String,
    },
    /// It is gone.
    Removed {
        cluster_uid: String,
        object: ObjectId,
    },
}

#[cfg(test)]
mod tests;
