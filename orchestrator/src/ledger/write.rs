//! Writing: one line, one write, one fsync.

use super::{Entry, LedgerError, LedgerHeader};
use crate::cluster::ObjectId;
use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use serde::Serialize;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The ledger of a run that is under way, or that is being cleaned up. Clones write to the same file.
#[derive(Clone, Debug)]
pub struct Ledger {
    file: Arc<Mutex<fs::File>>,
}

impl Ledger {
    /// Begins the ledger of a new run, readable by its owner only.
    ///
    /// # Errors
    /// When the file is there already or cannot be written.
    pub fn create(path: &Path, header: &LedgerHeader) -> Result<Self, LedgerError> {
        let mut options = fs::OpenOptions::new();
        options.append(true).create_new(true).mode(0o600);
        let ledger = Self::over(options.open(path)?);
        ledger.append(header)?;
        if let Some(directory) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
            // The name of a new file is only durable once its directory is.
            fs::File::open(directory)?.sync_all()?;
        }
        Ok(ledger)
    }

    /// Opens the ledger of an earlier run, so that its clean-up is recorded too. A line that a crash tore is cut off.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let mut options = fs::OpenOptions::new();
        let mut file = options.read(true).append(true).open(path)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        mend_tail(&mut file, &content)?;
        Ok(Self::over(file))
    }

    fn over(file: fs::File) -> Self {
        Self {
            file: Arc::new(Mutex::new(file)),
        }
    }

    /// The object is about to be asked for. Returns once that is on disk.
    ///
    /// # Errors
    /// When it cannot be written: then the object must not be asked for.
    pub fn intend(&self, cluster_uid: &str, object: &ObjectId) -> Result<(), LedgerError> {
        self.append(&Entry::Intent {
            cluster_uid: cluster_uid.to_owned(),
            object: object.clone(),
        })
    }

    /// The API server made the object and gave it `uid`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn created(
        &self,
        cluster_uid: &str,
        object: &ObjectId,
        uid: &str,
    ) -> Result<(), LedgerError> {
        self.append(&Entry::Created {
            cluster_uid: cluster_uid.to_owned(),
            object: object.clone(),
            uid: uid.to_owned(),
        })
    }

    /// What the run made under this name is gone.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn removed(&self, cluster_uid: &str, object: &ObjectId) -> Result<(), LedgerError> {
        self.append(&Entry::Removed {
            cluster_uid: cluster_uid.to_owned(),
            object: object.clone(),
        })
    }

    fn append(&self, line: &impl Serialize) -> Result<(), LedgerError> {
        let bytes = as_line(line)?;
        // A panic elsewhere while the lock was held leaves at worst a torn line, never a file that cannot be written.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&bytes)?;
        file.sync_data()?;
        Ok(())
    }
}

pub(super) fn as_line(line: &impl Serialize) -> Result<Vec<u8>, LedgerError> {
    let mut bytes = serde_json::to_vec(line).map_err(LedgerError::Serialise)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Makes the file end with a whole line: a last line that is only missing its line feed gets it, a torn one is cut off.
fn mend_tail(file: &mut fs::File, content: &[u8]) -> Result<(), LedgerError> {
    let whole = content
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1);
    let tail = &content[whole..];
    if tail.is_empty() {
        return Ok(());
    }
    if serde_json::from_slice::<serde_json::Value>(tail).is_ok() {
        file.seek(SeekFrom::End(0))?;
        file.write_all(b"\n")?;
    } else {
        file.set_len(whole as u64)?;
    }
    file.sync_all()?;
    Ok(())
}
