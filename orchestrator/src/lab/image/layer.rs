//! One layer: a tar whose bytes depend only on what is in it.

use super::ImageError;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use tar::{EntryType, Header};

/// Files of one layer, by their path inside the image.
///
/// Directories above a file come by themselves (mode 0755). A path that is set twice keeps what was set last.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug)]
enum Entry {
    Directory { mode: u32 },
    File { source: Source, mode: u32 },
    Symlink { target: String },
}

#[derive(Clone, Debug)]
enum Source {
    Bytes(Vec<u8>),
    Path(PathBuf),
}

impl Layer {
    /// A layer without files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directory with permission bits `mode`.
    #[must_use]
    pub fn directory(mut self, path: &str, mode: u32) -> Self {
        self.put(path, Entry::Directory { mode });
        self
    }

    /// Adds the file at `source` with permission bits `mode`; it is read when the layer is written.
    #[must_use]
    pub fn file(mut self, path: &str, source: &Path, mode: u32) -> Self {
        let source = Source::Path(source.to_path_buf());
        self.put(path, Entry::File { source, mode });
        self
    }

    /// Adds a file with these bytes and permission bits `mode`.
    #[must_use]
    pub fn bytes(mut self, path: &str, bytes: impl Into<Vec<u8>>, mode: u32) -> Self {
        let source = Source::Bytes(bytes.into());
        self.put(path, Entry::File { source, mode });
        self
    }

    /// Adds a symbolic link to `target`.
    #[must_use]
    pub fn symlink(mut self, path: &str, target: &str) -> Self {
        let target = target.to_owned();
        self.put(path, Entry::Symlink { target });
        self
    }

    /// The paths in the layer, directories that came by themselves included, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    fn put(&mut self, path: &str, entry: Entry) {
        let path = path.trim_matches('/');
        for (at, _) in path.match_indices('/') {
            let above = self
                .entries
                .entry(path[..at].to_owned())
                .or_insert(Entry::Directory { mode: 0o755 });
            if !matches!(above, Entry::Directory { .. }) {
                *above = Entry::Directory { mode: 0o755 };
            }
        }
        self.entries.insert(path.to_owned(), entry);
    }

    /// Writes the layer as a tar.
    ///
    /// # Errors
    /// [`ImageError::Path`] for a path that leaves the image, [`ImageError::Io`] when a file cannot be read or the
    /// tar cannot be written.
    pub fn write(&self, out: impl Write) -> Result<(), ImageError> {
        let mut tar = tar::Builder::new(out);
        for (path, entry) in &self.entries {
            check_path(path)?;
            append(&mut tar, path, entry)?;
        }
        tar.into_inner()?.flush()?;
        Ok(())
    }
}

fn check_path(path: &str) -> Result<(), ImageError> {
    let inside = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if inside {
        return Ok(());
    }
    Err(ImageError::Path {
        path: path.to_owned(),
    })
}

fn append<W: Write>(tar: &mut tar::Builder<W>, path: &str, entry: &Entry) -> std::io::Result<()> {
    match entry {
        Entry::Directory { mode } => {
            let mut header = header(EntryType::Directory, *mode, 0);
            tar.append_data(&mut header, format!("{path}/"), std::io::empty())
        }
        Entry::Symlink { target } => {
            let mut header = header(EntryType::Symlink, 0o777, 0);
            tar.append_link(&mut header, path, target)
        }
        Entry::File { source, mode } => append_file(tar, path, source, *mode),
    }
}

fn append_file<W: Write>(
    tar: &mut tar::Builder<W>,
    path: &str,
    source: &Source,
    mode: u32,
) -> std::io::Result<()> {
    match source {
        Source::Bytes(bytes) => {
            let mut header = header(EntryType::Regular, mode, bytes.len() as u64);
            tar.append_data(&mut header, path, bytes.as_slice())
        }
        Source::Path(from) => {
            let file = fs_err::File::open(from)?;
            let mut header = header(EntryType::Regular, mode, file.metadata()?.len());
            tar.append_data(&mut header, path, file)
        }
    }
}

/// A header with nothing of this machine in it: no owner, no time.
pub(super) fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}
