//! How much disk space a run takes: its workspace, files that it deleted and keeps open, and where nothing keeps it in its
//! workspace also the directories that all runs share.

use super::members::Member;
use rustix::process::Pid;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// More files than this cannot be counted in time.
const MOST_ENTRIES: usize = 20_000;
/// Deeper trees than this cannot be followed.
const DEEPEST: usize = 64;
/// Unit of `st_blocks`, stat(2).
const BLOCK: u64 = 512;

/// Disk space in bytes; `None` when there is too much to measure it. Nobody can tell whose file in a `shared` directory
/// is, so it counts for every run; the workspaces in there count each for its own.
pub(super) fn used(workspace: &Path, shared: &[PathBuf], members: &[Member]) -> Option<u64> {
    let open = members.iter().map(|member| deleted_but_open(member.pid));
    let mut bytes = below(workspace, None)? + open.sum::<u64>();
    for directory in shared {
        bytes += below(directory, workspace.parent())?;
    }
    Some(bytes)
}

fn below(root: &Path, except: Option<&Path>) -> Option<u64> {
    let mut pending = vec![(root.to_path_buf(), 0)];
    let (mut bytes, mut entries) = (0, 0);
    while let Some((directory, depth)) = pending.pop() {
        for (path, metadata) in listed(&directory).ok()? {
            bytes += metadata.blocks() * BLOCK;
            entries += 1;
            if metadata.is_dir() && except != Some(&path) {
                pending.push((path, depth + 1));
            }
        }
        if entries > MOST_ENTRIES || depth > DEEPEST {
            return None;
        }
    }
    Some(bytes)
}

/// What lies in a directory; the run may delete any of it meanwhile.
fn listed(directory: &Path) -> io::Result<Vec<(PathBuf, Metadata)>> {
    let entries = match fs_err::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if gone(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let listed = entries
        .flatten()
        .take(MOST_ENTRIES + 1)
        .filter_map(|entry| {
            let path = entry.path();
            Some((path.clone(), fs_err::symlink_metadata(path).ok()?))
        });
    Ok(listed.collect())
}

fn gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn deleted_but_open(pid: Pid) -> u64 {
    let directory = format!("/proc/{}/fd", pid.as_raw_nonzero());
    let open = fs_err::read_dir(directory).into_iter().flatten().flatten();
    let deleted = open.filter_map(|entry| {
        let metadata = fs_err::metadata(entry.path()).ok()?;
        (metadata.is_file() && metadata.nlink() == 0).then(|| metadata.blocks() * BLOCK)
    });
    deleted.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn files_count_wherever_they_lie() {
        let workspace = tempfile::tempdir().unwrap();
        fs_err::create_dir(workspace.path().join("deep")).unwrap();
        fs_err::write(workspace.path().join("deep/file"), vec![1; 100_000]).unwrap();
        assert!(used(workspace.path(), &[], &[]).unwrap() >= 100_000);
    }

    #[test]
    fn what_lies_beside_the_workspaces_counts_and_what_lies_in_another_one_does_not() {
        let shared = tempfile::tempdir().unwrap();
        let runs = shared.path().join("runs");
        for (directory, bytes) in [
            (runs.join("0"), 100),
            (runs.join("1"), 900_000),
            (shared.path().join("x"), 100_000),
        ] {
            fs_err::create_dir_all(&directory).unwrap();
            fs_err::write(directory.join("file"), vec![1; bytes]).unwrap();
        }
        let used = used(&runs.join("0"), &[shared.path().to_owned()], &[]).unwrap();
        assert!((100_100..500_000).contains(&used), "{used}");
    }

    #[test]
    fn a_tree_too_deep_to_follow_is_not_measured() {
        let workspace = tempfile::tempdir().unwrap();
        let deep = (0..DEEPEST + 3).fold(workspace.path().to_path_buf(), |path, _| path.join("d"));
        fs_err::create_dir_all(deep).unwrap();
        assert_eq!(used(workspace.path(), &[], &[]), None);
    }

    #[test]
    fn a_deleted_file_counts_while_it_is_open() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![1; 100_000]).unwrap();
        file.sync_all().unwrap();
        assert!(deleted_but_open(rustix::process::getpid()) >= 100_000);
    }

    #[test]
    fn a_workspace_that_is_gone_takes_nothing() {
        assert_eq!(used(Path::new("/nonexistent/workspace"), &[], &[]), Some(0));
    }
}
