//! Where programs work: a directory for each run, empty before and after.

mod collect;
mod path;
mod wipe;

pub use collect::{OutputFile, OutputFiles};
pub use path::{InnerPath, PathError};

use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A program and what comes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Python source.
    pub code: String,
    /// Files beside it; no path is another's parent, none is there twice.
    pub files: Vec<(InnerPath, Vec<u8>)>,
}

impl Program {
    /// A program without files.
    pub fn new(code: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            files: Vec::new(),
        }
    }

    fn everything(&self) -> BTreeMap<&str, &[u8]> {
        let files = self.files.iter();
        let files = files.map(|(path, content)| (path.as_str(), content.as_slice()));
        files
            .chain([(path::PROGRAM, self.code.as_bytes())])
            .collect()
    }
}

/// How many files of a run are taken and handed out, and how many bytes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileCaps {
    /// Files.
    pub count: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// The directory that holds the workspaces, and what else is wiped.
#[derive(Debug)]
pub(super) struct Workspaces {
    root: PathBuf,
    wiped: Vec<PathBuf>,
    taken: Mutex<BTreeSet<usize>>,
}

impl Workspaces {
    /// Workspaces in `root`, which is made when it is needed. What programs leave in the directories `wiped` is removed
    /// whenever no program runs: they must belong to the interpreter alone.
    pub(super) fn new(root: PathBuf, wiped: Vec<PathBuf>) -> Self {
        Self {
            root,
            wiped,
            taken: Mutex::default(),
        }
    }

    /// Wipes what an interpreter that was killed left here.
    pub(super) fn reset(&self) -> io::Result<()> {
        create(&self.root)?;
        for entry in fs_err::read_dir(&self.root)? {
            let name = entry?.file_name();
            let is_slot = name
                .to_str()
                .is_some_and(|name| name.parse::<usize>().is_ok());
            if is_slot {
                wipe::remove(&self.root, &name)?;
            }
        }
        Ok(())
    }

    /// An empty workspace.
    pub(super) fn take(self: &Arc<Self>) -> io::Result<Workspace> {
        let slot = self.reserve();
        let workspace = Workspace {
            path: self.root.join(slot.to_string()),
            slot,
            workspaces: Arc::clone(self),
        };
        create(&self.root)?;
        workspace.clear()?;
        create(&workspace.path)?;
        Ok(workspace)
    }

    /// The lowest number that is free: a program that runs alone always works in the same place.
    fn reserve(&self) -> usize {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut slot = 0;
        while !taken.insert(slot) {
            slot += 1;
        }
        slot
    }

    fn release(&self, slot: usize) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(&slot);
        // Under the lock, so that no program starts meanwhile.
        if taken.is_empty() {
            for directory in &self.wiped {
                self.wipe(directory);
            }
        }
    }

    fn wipe(&self, directory: &Path) {
        let inner = self.root.strip_prefix(directory).ok();
        let kept = inner.and_then(|inner| inner.iter().next()?.to_str());
        match wipe::wipe(directory, kept.as_slice()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let directory = directory.display();
                tracing::warn!(%directory, %error, "what programs left there cannot be removed");
            }
            _ => {}
        }
    }
}

impl Drop for Workspaces {
    fn drop(&mut self) {
        // Empty, unless removing a workspace failed, which has been told.
        let _ = std::fs::remove_dir(&self.root);
    }
}

/// Whether a program has removed, locked or replaced its own directory.
fn is_of_the_programs_making(error: &io::Error) -> bool {
    let makings = [Errno::NOENT, Errno::ACCESS, Errno::NOTDIR, Errno::LOOP];
    Errno::from_io_error(error).is_some_and(|errno| makings.contains(&errno))
}

/// Makes a directory that only this user may enter.
fn create(directory: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(directory)
}

/// One run's directory; wiped when it is dropped.
#[derive(Debug)]
pub(super) struct Workspace {
    path: PathBuf,
    slot: usize,
    workspaces: Arc<Workspaces>,
}

impl Workspace {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the program and its files there.
    pub(super) fn fill(&self, program: &Program) -> io::Result<()> {
        for (path, content) in program.everything() {
            let path = self.path.join(path);
            if let Some(parent) = path.parent() {
                create(parent)?;
            }
            fs_err::write(path, content)?;
        }
        Ok(())
    }

    /// What the program made or changed.
    pub(super) fn changed(&self, program: &Program, caps: FileCaps) -> io::Result<OutputFiles> {
        match collect::changed(&self.path, &program.everything(), caps) {
            Err(error) if is_of_the_programs_making(&error) => Ok(OutputFiles::default()),
            found => found,
        }
    }

    fn clear(&self) -> io::Result<()> {
        let name = self.path.file_name().unwrap_or(OsStr::new(""));
        match wipe::remove(&self.workspaces.root, name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            ended => ended,
        }
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if let Err(error) = self.clear() {
            let path = self.path.display();
            tracing::error!(%path, %error, "a workspace cannot be wiped");
        }
        self.workspaces.release(self.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPS: FileCaps = FileCaps {
        count: 8,
        bytes: 1000,
    };

    fn program() -> Program {
        Program {
            code: "pass".into(),
            files: vec![(InnerPath::parse("in/data").unwrap(), b"1".to_vec())],
        }
    }

    fn workspaces(root: &Path, wiped: &[&Path]) -> Arc<Workspaces> {
        let wiped = wiped.iter().map(|path| path.to_path_buf()).collect();
        Arc::new(Workspaces::new(root.join("runs"), wiped))
    }

    #[test]
    fn nothing_of_one_run_is_there_for_the_next() {
        let root = tempfile::tempdir().unwrap();
        let workspaces = workspaces(root.path(), &[]);
        let first = workspaces.take().unwrap();
        first.fill(&program()).unwrap();
        let path = first.path().to_path_buf();
        drop(first);
        assert!(!path.exists());
        let second = workspaces.take().unwrap();
        assert_eq!(second.path(), path);
        assert_eq!(fs_err::read_dir(&path).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_interpreter_left_is_wiped_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let workspaces = workspaces(root.path(), &[]);
        for name in ["runs/0/in", "runs/7", "runs/other"] {
            fs_err::create_dir_all(root.path().join(name)).unwrap();
        }
        workspaces.reset().unwrap();
        let left = fs_err::read_dir(root.path().join("runs")).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["other"]);
    }

    #[test]
    fn a_program_that_locks_or_replaces_its_directory_leaves_no_files_and_is_wiped() {
        let lock = |path: &Path| {
            let nobody = std::os::unix::fs::PermissionsExt::from_mode(0o0);
            fs_err::set_permissions(path, nobody).unwrap();
        };
        let link = |path: &Path| {
            fs_err::remove_dir_all(path).unwrap();
            fs_err::os::unix::fs::symlink("/etc", path).unwrap();
        };
        let file = |path: &Path| {
            fs_err::remove_dir_all(path).unwrap();
            fs_err::write(path, "").unwrap();
        };
        let root = tempfile::tempdir().unwrap();
        let workspaces = workspaces(root.path(), &[]);
        for spoil in [&lock as &dyn Fn(&Path), &link, &file] {
            let workspace = workspaces.take().unwrap();
            workspace.fill(&program()).unwrap();
            spoil(workspace.path());
            assert_eq!(workspace.changed(&program(), CAPS).unwrap().files, []);
        }
        assert!(workspaces.take().is_ok());
    }

    #[test]
    fn runs_at_the_same_time_have_workspaces_of_their_own() {
        let root = tempfile::tempdir().unwrap();
        let workspaces = workspaces(root.path(), &[]);
        let (first, second) = (workspaces.take().unwrap(), workspaces.take().unwrap());
        assert_ne!(first.path(), second.path());
    }

    #[test]
    fn what_came_with_the_program_is_no_result() {
        let root = tempfile::tempdir().unwrap();
        let workspace = workspaces(root.path(), &[]).take().unwrap();
        workspace.fill(&program()).unwrap();
        assert_eq!(
            workspace.changed(&program(), CAPS).unwrap(),
            OutputFiles::default()
        );
        fs_err::write(workspace.path().join("in/data"), "2").unwrap();
        let changed = workspace.changed(&program(), CAPS).unwrap().files;
        assert_eq!(changed[0].path, "in/data");
    }

    #[test]
    fn a_workspace_that_its_program_removed_is_no_error() {
        let root = tempfile::tempdir().unwrap();
        let workspace = workspaces(root.path(), &[]).take().unwrap();
        fs_err::remove_dir(workspace.path()).unwrap();
        assert_eq!(
            workspace.changed(&program(), CAPS).unwrap(),
            OutputFiles::default()
        );
    }

    #[test]
    fn other_directories_are_wiped_once_no_program_runs() {
        let root = tempfile::tempdir().unwrap();
        let workspaces = workspaces(root.path(), &[root.path(), Path::new("/nonexistent/x")]);
        let (first, second) = (workspaces.take().unwrap(), workspaces.take().unwrap());
        let left = root.path().join("left");
        fs_err::write(&left, "secret").unwrap();
        drop(first);
        assert!(left.exists());
        drop(second);
        assert!(!left.exists());
    }
}
