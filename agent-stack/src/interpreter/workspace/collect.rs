//! The files that a program made or changed.

use super::FileCaps;
use super::path::DEEPEST;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Dir, FileType, Mode, OFlags, fstat, openat};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Most directory entries that are looked at.
const MOST_ENTRIES: usize = 20_000;

/// A file that a program left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Where, relative to the workspace.
    pub path: String,
    /// What is in it.
    pub content: Vec<u8>,
}

/// Everything a program left, as far as it is handed out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputFiles {
    /// In the order of their paths.
    pub files: Vec<OutputFile>,
    /// How many were left out: beyond the caps, not plain files, or without a name in UTF-8.
    pub omitted: u64,
}

/// Reads what is new or different in `workspace`; `before` is what was put there. Links are not followed.
pub(super) fn changed(
    workspace: &Path,
    before: &BTreeMap<&str, &[u8]>,
    caps: FileCaps,
) -> io::Result<OutputFiles> {
    let root = rustix::fs::open(workspace, directory(), Mode::empty())?;
    let mut collection = Collection {
        before,
        caps,
        bytes: 0,
        looked_at: 0,
        found: OutputFiles::default(),
    };
    collection.directory(&root, "", 1)?;
    Ok(collection.found)
}

fn directory() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// Not blocking, because opening a pipe would otherwise wait for its writer.
fn anything() -> OFlags {
    OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

struct Collection<'a> {
    before: &'a BTreeMap<&'a str, &'a [u8]>,
    caps: FileCaps,
    bytes: u64,
    looked_at: usize,
    found: OutputFiles,
}

impl Collection<'_> {
    fn directory(&mut self, directory: &OwnedFd, prefix: &str, depth: usize) -> io::Result<()> {
        for name in self.names(directory)? {
            let path = format!("{prefix}{name}");
            match openat(directory, name.as_str(), anything(), Mode::empty()) {
                Ok(entry) => self.entry(entry, path, depth)?,
                // A link, a socket, or a file that may not be read.
                Err(_) => self.found.omitted += 1,
            }
        }
        Ok(())
    }

    /// The names in a directory, sorted, so that the same program leaves the same answer.
    fn names(&mut self, directory: impl AsFd) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(directory)? {
            let entry = entry?;
            self.looked_at += 1;
            match entry.file_name().to_str() {
                Ok("." | "..") => {}
                Ok(name) if self.looked_at <= MOST_ENTRIES => names.push(name.to_owned()),
                _ => self.found.omitted += 1,
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn entry(&mut self, entry: OwnedFd, path: String, depth: usize) -> io::Result<()> {
        match FileType::from_raw_mode(fstat(&entry)?.st_mode) {
            FileType::Directory if depth < DEEPEST => {
                self.directory(&entry, &format!("{path}/"), depth + 1)
            }
            FileType::RegularFile => self.file(File::from(entry), path),
            _ => {
                self.found.omitted += 1;
                Ok(())
            }
        }
    }

    fn file(&mut self, file: File, path: String) -> io::Result<()> {
        let room = self.caps.bytes - self.bytes;
        let known = self.before.get(path.as_str());
        let enough = room.max(known.map_or(0, |known| known.len() as u64)) + 1;
        let mut content = Vec::new();
        file.take(enough).read_to_end(&mut content)?;
        if known.is_some_and(|known| *known == content) {
            return Ok(());
        }
        let size = content.len() as u64;
        if size > room || self.found.files.len() as u64 >= self.caps.count {
            self.found.omitted += 1;
            return Ok(());
        }
        self.bytes += size;
        self.found.files.push(OutputFile { path, content });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPS: FileCaps = FileCaps {
        count: 3,
        bytes: 100,
    };

    fn collected(workspace: &Path, before: &[(&str, &[u8])]) -> (Vec<String>, u64) {
        let before = before.iter().copied().collect();
        let found = changed(workspace, &before, CAPS).unwrap();
        let paths = found.files.into_iter().map(|file| file.path).collect();
        (paths, found.omitted)
    }

    #[test]
    fn new_and_changed_files_are_collected_and_others_are_not() {
        let workspace = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            fs_err::write(workspace.path().join(name), content).unwrap();
        };
        fs_err::create_dir(workspace.path().join("out")).unwrap();
        write("same", "s");
        write("different", "new");
        write("out/new", "n");
        let before: [(&str, &[u8]); 3] = [("same", b"s"), ("different", b"old"), ("deleted", b"d")];
        assert_eq!(
            collected(workspace.path(), &before),
            (vec!["different".to_owned(), "out/new".to_owned()], 0)
        );
    }

    #[test]
    fn links_pipes_and_what_is_too_much_are_left_out_and_counted() {
        let workspace = tempfile::tempdir().unwrap();
        let path = |name: &str| workspace.path().join(name);
        std::os::unix::fs::symlink("/etc/passwd", path("link")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        fs_err::write(path("large"), [0; 101]).unwrap();
        for name in ["a", "b", "c", "d"] {
            fs_err::write(path(name), name).unwrap();
        }
        let (paths, omitted) = collected(workspace.path(), &[]);
        assert_eq!((paths.join(" ").as_str(), omitted), ("a b c", 4));
    }
}
