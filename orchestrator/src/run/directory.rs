//! The directory of one run: everything that is left of it on the machine that drove it.

use super::id::RunId;
use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Directory that keeps runs when nothing else is said.
pub const DEFAULT_ROOT: &str = "runs";

/// Why a run directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It could not be made, read or written.
    #[error("the run directory cannot be used")]
    Io(#[from] io::Error),
    /// There are no runs at all.
    #[error("there is no run under `{}`", root.display())]
    Empty {
        /// Where it was looked for.
        root: PathBuf,
    },
    /// No run of that id, or of that beginning, is there.
    #[error("there is no run `{wanted}` under `{}`", root.display())]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// Where it was looked for.
        root: PathBuf,
        /// The latest run that is there.
        latest: String,
    },
    /// Several runs begin like that.
    #[error("`{wanted}` fits {} runs under `{}`", matching.len(), root.display())]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// Ids that fit.
        matching: Vec<String>,
        /// Where it was looked for.
        root: PathBuf,
    },
}

impl DirectoryError {
    /// What to do about it, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io(_) => None,
            Self::Empty { .. } => Some(
                "runs of another directory are found with `--runs DIR`; a run of another machine is cleaned up with \
                 `portproof cleanup RUN` and `--lab`, `--scenario` or `--kubeconfig`"
                    .to_owned(),
            ),
            Self::Unknown { latest, .. } => Some(format!(
                "the latest run there is {latest}; runs of another directory are found with `--runs DIR`"
            )),
            Self::Ambiguous { matching, .. } => {
                Some(format!("give more of the id of one: {}", matching.join(", ")))
            }
        }
    }
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
        let Some(latest) = runs.last().cloned() else {
            return Err(DirectoryError::Empty {
                root: root.to_owned(),
            });
        };
        if wanted == "latest" {
            return Ok(latest);
        }
        runs.retain(|run| run.name().starts_with(wanted));
        if runs.len() > 1 {
            return Err(DirectoryError::Ambiguous {
                wanted: wanted.to_owned(),
                matching: runs.iter().map(|run| run.name().to_owned()).collect(),
                root: root.to_owned(),
            });
        }
        runs.pop().ok_or_else(|| DirectoryError::Unknown {
            wanted: wanted.to_owned(),
            root: root.to_owned(),
            latest: latest.name().to_owned(),
        })
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

    /// The command that removes what the run created and has not removed.
    pub fn cleanup_command(&self) -> String {
        match self.path.parent().and_then(Path::to_str) {
            None | Some(DEFAULT_ROOT) => format!("portproof cleanup {}", self.name()),
            Some(root) => format!("portproof cleanup {} --runs '{root}'", self.name()),
        }
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
        let error = RunDirectory::find(root.path(), "r").unwrap_err();
        assert!(
            matches!(&error, DirectoryError::Ambiguous { matching, .. } if matching.len() == 2)
        );
        assert!(error.hint().unwrap().contains(run(1_000).as_str()));
        let error = RunDirectory::find(root.path(), "x").unwrap_err();
        assert!(error.hint().unwrap().contains(run(1_001).as_str()));
        assert!(matches!(error, DirectoryError::Unknown { .. }));
    }

    #[test]
    fn a_directory_without_runs_is_said_to_have_none() {
        let root = tempfile::tempdir().unwrap();
        for root in [root.path().to_owned(), root.path().join("not-there")] {
            for wanted in ["latest", "r1"] {
                let error = RunDirectory::find(&root, wanted).unwrap_err();
                assert!(matches!(error, DirectoryError::Empty { .. }));
            }
        }
    }

    #[test]
    fn the_command_that_cleans_up_names_the_directory_unless_it_is_the_usual_one() {
        let usual = RunDirectory {
            path: PathBuf::from("runs/r0000001000"),
        };
        assert_eq!(usual.cleanup_command(), "portproof cleanup r0000001000");
        let other = RunDirectory {
            path: PathBuf::from("/tmp/x y/r0000001000"),
        };
        assert_eq!(
            other.cleanup_command(),
            "portproof cleanup r0000001000 --runs '/tmp/x y'"
        );
    }

    #[test]
    fn a_run_directory_is_never_used_twice() {
        let root = tempfile::tempdir().unwrap();
        RunDirectory::create(root.path(), &run(1)).unwrap();
        assert!(RunDirectory::create(root.path(), &run(1)).is_err());
    }
}
