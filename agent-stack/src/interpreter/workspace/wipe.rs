//! Empties directories that untrusted code has filled.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, chmodat, openat, renameat, unlinkat};
use rustix::io::Errno;
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::path::Path;

/// Entries that are removed at most; a directory that has more is given up.
const MOST: u64 = 10_000_000;

/// Removes everything in `directory`, but not the names in `kept`. Links are removed and not followed.
pub(super) fn wipe(directory: &Path, kept: &[&str]) -> io::Result<()> {
    let root = rustix::fs::open(directory, flags(), Mode::empty())?;
    let mut wiping = Wiping {
        root: root.as_fd(),
        moved: 0,
    };
    loop {
        let mut names = names(&root)?;
        names.retain(|name| !name.to_str().is_ok_and(|name| kept.contains(&name)));
        if names.is_empty() {
            return Ok(());
        }
        for name in names {
            wiping.remove(&name)?;
        }
    }
}

/// Removes what is called `name` in `parent`, whatever it is. Links are removed and not followed.
pub(super) fn remove(parent: &Path, name: &OsStr) -> io::Result<()> {
    let path = parent.join(name);
    let parent = rustix::fs::open(parent, flags(), Mode::empty())?;
    match unlinkat(&parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => {
            // The owner may have locked it.
            let _ = chmodat(&parent, name, Mode::RWXU, AtFlags::empty());
            wipe(&path, &[])?;
            Ok(unlinkat(&parent, name, AtFlags::REMOVEDIR)?)
        }
        ended => Ok(ended?),
    }
}

fn flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

fn names(directory: impl AsFd) -> io::Result<Vec<CString>> {
    let entries = Dir::read_from(directory)?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_owned()));
    let names: io::Result<Vec<CString>> = names.collect();
    Ok(names?
        .into_iter()
        .filter(|name| !matches!(name.to_bytes(), b"." | b".."))
        .collect())
}

/// Directories in directories are moved up to the root before they are emptied, so that no tree is too deep for the
/// stack, the longest path or the open files of this process.
struct Wiping<'a> {
    root: BorrowedFd<'a>,
    moved: u64,
}

impl Wiping<'_> {
    fn remove(&mut self, name: &CStr) -> io::Result<()> {
        match unlinkat(self.root, name, AtFlags::empty()) {
            // Linux says EISDIR, POSIX wants EPERM.
            Err(Errno::ISDIR | Errno::PERM) => self.remove_directory(name),
            ended => settled(ended),
        }
    }

    fn remove_directory(&mut self, name: &CStr) -> io::Result<()> {
        let directory = openable(self.root, name)?;
        for inner in names(&directory)? {
            match unlinkat(&directory, &inner, AtFlags::empty()) {
                Err(Errno::ISDIR | Errno::PERM) => self.move_up(&directory, &inner)?,
                ended => settled(ended)?,
            }
        }
        settled(unlinkat(self.root, name, AtFlags::REMOVEDIR))
    }

    fn move_up(&mut self, from: &OwnedFd, name: &CStr) -> io::Result<()> {
        // A directory that is moved is written to: its `..` changes.
        drop(openable(from.as_fd(), name)?);
        while self.moved < MOST {
            self.moved += 1;
            match renameat(from, name, self.root, format!(".wiped-{}", self.moved)) {
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                ended => return settled(ended),
            }
        }
        Err(io::ErrorKind::QuotaExceeded.into())
    }
}

/// Opens a directory, which its owner may have locked.
fn openable(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    // Where this is refused, so will be what follows.
    let _ = chmodat(parent, name, Mode::RWXU, AtFlags::empty());
    Ok(openat(parent, name, flags(), Mode::empty())?)
}

/// What is gone need not be removed; a directory that was filled again meanwhile is looked at again.
fn settled(ended: rustix::io::Result<()>) -> io::Result<()> {
    match ended {
        Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn a_tree_deeper_than_any_path_is_removed() {
        let workspace = tempfile::tempdir().unwrap();
        let mut deepest = rustix::fs::open(workspace.path(), flags(), Mode::empty()).unwrap();
        for _ in 0..3_000 {
            rustix::fs::mkdirat(&deepest, "deeper", Mode::RWXU).unwrap();
            deepest = openat(&deepest, "deeper", flags(), Mode::empty()).unwrap();
        }
        drop(deepest);
        wipe(workspace.path(), &[]).unwrap();
        assert_eq!(fs_err::read_dir(workspace.path()).unwrap().count(), 0);
    }

    #[test]
    fn locked_directories_and_strange_names_are_removed() {
        let workspace = tempfile::tempdir().unwrap();
        let locked = workspace.path().join("locked");
        fs_err::create_dir_all(locked.join("inner")).unwrap();
        fs_err::write(workspace.path().join(".wiped-1"), "in the way").unwrap();
        fs_err::write(locked.join("\u{1}\n*"), "x").unwrap();
        fs_err::set_permissions(&locked, std::fs::Permissions::from_mode(0o0)).unwrap();
        wipe(workspace.path(), &[]).unwrap();
        assert_eq!(fs_err::read_dir(workspace.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_link_leads_to_stays() {
        let (workspace, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs_err::write(outside.path().join("file"), "x").unwrap();
        symlink(outside.path(), workspace.path().join("link")).unwrap();
        wipe(workspace.path(), &[]).unwrap();
        assert!(outside.path().join("file").exists());
        assert_eq!(fs_err::read_dir(workspace.path()).unwrap().count(), 0);
    }

    #[test]
    fn names_that_are_kept_stay() {
        let workspace = tempfile::tempdir().unwrap();
        for name in ["kept", "other"] {
            fs_err::create_dir(workspace.path().join(name)).unwrap();
        }
        wipe(workspace.path(), &["kept"]).unwrap();
        let left: Vec<_> =
            names(rustix::fs::open(workspace.path(), flags(), Mode::empty()).unwrap()).unwrap();
        assert_eq!(left, [c"kept".to_owned()]);
    }
}
