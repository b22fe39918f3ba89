//! Reading: what a run created and has not removed.

use super::{Entry, FORMAT, LedgerError, LedgerHeader};
use crate::cluster::ObjectId;
use fs_err as fs;
use std::path::Path;

/// A ledger as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRecord {
    /// The first line.
    pub header: LedgerHeader,
    pub(crate) entries: Vec<Entry>,
}

/// An object that a run made, or was about to make, and that is not known to be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outstanding {
    /// The object.
    pub object: ObjectId,
    /// Its UID; `None` when the run ended before it was known.
    pub uid: Option<String>,
}

impl LedgerRecord {
    /// What may be left on one cluster, the youngest object first.
    pub fn outstanding(&self, cluster_uid: &str) -> Vec<Outstanding> {
        let mut left = Vec::new();
        for entry in &self.entries {
            if entry.cluster_uid() == cluster_uid {
                entry.apply(&mut left);
            }
        }
        left.reverse();
        left
    }
}

impl Entry {
    fn cluster_uid(&self) -> &str {
        match self {
            Self::Intent { cluster_uid, .. }
            | Self::Created { cluster_uid, .. }
            | Self::Removed { cluster_uid, .. } => cluster_uid,
        }
    }

    fn apply(&self, left: &mut Vec<Outstanding>) {
        match self {
            Self::Intent { object, .. } => {
                place(left, object);
            }
            Self::Created { object, uid, .. } => place(left, object).uid = Some(uid.clone()),
            Self::Removed { object, .. } => left.retain(|it| &it.object != object),
        }
    }
}

fn place<'a>(left: &'a mut Vec<Outstanding>, object: &ObjectId) -> &'a mut Outstanding {
    let at = left
        .iter()
        .position(|it| &it.object == object)
        .unwrap_or_else(|| {
            left.push(Outstanding {
                object: object.clone(),
                uid: None,
            });
            left.len() - 1
        });
    &mut left[at]
}

/// Reads a ledger; a last line that was torn by a crash is left out.
///
/// # Errors
/// When the file cannot be read, is of another format, or a line before the last is no entry.
pub fn read(path: &Path) -> Result<LedgerRecord, LedgerError> {
    parse(path, &fs::read(path)?)
}

pub(crate) fn parse(path: &Path, content: &[u8]) -> Result<LedgerRecord, LedgerError> {
    let mut lines = lines(content).enumerate();
    let headless = || LedgerError::Headless {
        path: path.to_owned(),
    };
    let (_, first) = lines.next().ok_or_else(headless)?;
    let header = match header(path, first) {
        Err(LedgerError::Malformed { .. }) if lines.len() == 0 => return Err(headless()),
        other => other?,
    };
    let mut entries = Vec::new();
    while let Some((index, line)) = lines.next() {
        match serde_json::from_slice(line) {
            Ok(entry) => entries.push(entry),
            Err(_) if lines.len() == 0 => break,
            Err(source) => return Err(malformed(path, index, source)),
        }
    }
    Ok(LedgerRecord { header, entries })
}

fn lines(content: &[u8]) -> std::vec::IntoIter<&[u8]> {
    let lines: Vec<&[u8]> = content
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .collect();
    lines.into_iter()
}

fn header(path: &Path, line: &[u8]) -> Result<LedgerHeader, LedgerError> {
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    let Format { format } = serde_json::from_slice(line).map_err(|it| malformed(path, 0, it))?;
    if format != FORMAT {
        return Err(LedgerError::Format {
            path: path.to_owned(),
            found: format,
        });
    }
    serde_json::from_slice(line).map_err(|it| malformed(path, 0, it))
}

fn malformed(path: &Path, index: usize, source: serde_json::Error) -> LedgerError {
    LedgerError::Malformed {
        path: path.to_owned(),
        line: index + 1,
        source,
    }
}
