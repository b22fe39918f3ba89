//! The directory of one run: everything that is left of it on the machine that drove it.

use super::id::RunId;
use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Why a run directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It could not be made, read or written.
    #[error("the run directory cannot be used")]
    Io(#[from] io::Error),
    /// No run of that id, or of that beginning, is there.
    #[error("no run `{wanted}` under `{root}`")]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// Where it was looked for.
        root: PathBuf,
    },
    /// Several runs begin like that.
    #[error("`{wanted}` names {count} runs under `{root}`: give more of the id")]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// How many match.
        count: usize,
        /// Where it was looked for.
        root: PathBuf,
    },
}

/// `<root>/<run id>/`, readable by its owner only.
#[derive(Clone, Debug)]
pub struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// Makes the directory of a new run.
    ///
    /// # Errors
    /// When it cannot be made, or is there already.
    pub fn create(root: &Path, run: &RunId) -> Result<Self, DirectoryError> {
        fs::create_dir_all(root)?;
        let path = root.join(run.as_str());
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|source| {
                io::Error::new(source.kind(), format!("{}: {source}", path.display()))
            })?;
        Ok(Self { path })
    }

    /// Finds a run by its id, by an unambiguous beginning of it, or as `latest`.
    ///
    /// # Errors
    /// When none or several match.
    pub fn find(root: &Path, wanted: &str) -> Result<Self, DirectoryError> {
        let mut runs = Self::all(root)?;
        if wanted == "latest" {
            return runs.pop().ok_or_else(|| Self::unknown(root, wanted));
        }
        runs.retain(|run| run.name().starts_with(wanted));
        match (runs.len(), runs.pop()) {
            (1, Some(run)) => Ok(run),
            (0, _) | (_, None) => Err(Self::unknown(root, wanted)),
            (count, _) => Err(DirectoryError::Ambiguous {
                wanted: wanted.to_owned(),
                count,
                root: root.to_owned(),
            }),
        }
    }

    /// Every run under `root`, oldest first.
    ///
    /// # Errors
    /// When the directory cannot be read; one that is not there holds no runs.
    pub fn all(root: &Path) -> Result<Vec<Self>, DirectoryError> {
        if !root.exists() {
            return Ok(Vec::new());
        }
        let mut runs = Vec::new();
        for entry in fs::read_dir(root)? {
            let entry = entry?;
            if entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.parse::<RunId>().is_ok())
            {
                runs.push(Self { path: entry.path() });
            }
        }
        runs.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(runs)
    }

    fn unknown(root: &Path, wanted: &str) -> DirectoryError {
        DirectoryError::Unknown {
            wanted: wanted.to_owned(),
            root: root.to_owned(),
        }
    }

    /// The run's id.
    pub fn name(&self) -> &str {
        self.path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The event log.
    pub fn events(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    /// The ledger.
    pub fn ledger(&self) -> PathBuf {
        self.path.join("ledger.jsonl")
    }

    /// Writes a file whole or not at all, readable by its owner only.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf, DirectoryError> {
        let path = self.path.join(name);
        let partial = self.path.join(format!(".{name}.partial"));
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&partial)?;
        io::Write::write_all(&mut file, content)?;
        file.sync_all()?;
        fs::rename(&partial, &path)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn run(second: i64) -> RunId {
        RunId::new(Timestamp::from_second(second).unwrap(), 0)
    }

    #[test]
    fn the_latest_run_is_found_by_that_word_and_others_by_their_beginning() {
        let root = tempfile::tempdir().unwrap();
        for second in [1_000, 2_000_000_000] {
            RunDirectory::create(root.path(), &run(second)).unwrap();
        }
        let latest = RunDirectory::find(root.path(), "latest").unwrap();
        assert_eq!(latest.name(), run(2_000_000_000).as_str());
        let first = RunDirectory::find(root.path(), &run(1_000).as_str()[..8]).unwrap();
        assert_eq!(first.name(), run(1_000).as_str());
    }

    #[test]
    fn a_beginning_that_fits_two_runs_is_refused() {
        let root = tempfile::tempdir().unwrap();
        for second in [1_000, 1_001] {
            RunDirectory::create(root.path(), &run(second)).unwrap();
        }
        assert!(matches!(
            RunDirectory::find(root.path(), "r"),
            Err(DirectoryError::Ambiguous { count: 2, .. })
        ));
        assert!(matches!(
            RunDirectory::find(root.path(), "x"),
            Err(DirectoryError::Unknown { .. })
        ));
    }

    #[test]
    fn a_run_directory_is_never_used_twice() {
        let root = tempfile::tempdir().unwrap();
        RunDirectory::create(root.path(), &run(1)).unwrap();
        assert!(RunDirectory::create(root.path(), &run(1)).is_err());
    }
}
