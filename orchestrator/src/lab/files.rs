//! Files that are whole or absent, never half written.

use super::error::LabError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// Mode of files with keys.
pub(crate) const SECRET: u32 = 0o600;
/// Mode of other files.
pub(crate) const PLAIN: u32 = 0o644;

/// Replaces a file in one step.
///
/// # Errors
/// The directory is missing, or the disk is full.
pub(crate) fn replace(path: &Path, mode: u32, content: &[u8]) -> Result<(), LabError> {
    write(path, mode, content).map_err(LabError::io("cannot write", path))
}

fn write(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(mode))
        .tempfile_in(directory)?;
    file.write_all(content)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Replaces a JSON file in one step.
///
/// # Errors
/// As [`replace`].
pub(crate) fn replace_json(path: &Path, value: &impl Serialize) -> Result<(), LabError> {
    let text = serde_json::to_vec_pretty(value).map_err(|source| LabError::Damaged {
        path: path.to_owned(),
        source,
    })?;
    replace(path, PLAIN, &text)
}

/// Reads a JSON file; `None` when there is none.
///
/// # Errors
/// The file cannot be read or understood.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, LabError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LabError::io("cannot read", path)(error)),
    };
    let value = serde_json::from_slice(&text).map_err(|source| LabError::Damaged {
        path: path.to_owned(),
        source,
    })?;
    Ok(Some(value))
}

/// Makes a directory and its parents, readable for the owner only.
///
/// # Errors
/// A parent is a file, or the disk is full.
pub(crate) fn directory(path: &Path) -> Result<(), LabError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path)
        .map_err(LabError::io("cannot make the directory", path))
}

/// The last lines of a log, or a word about why there are none.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let text = match std::fs::read(path) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) => return format!("(no log: {error})"),
    };
    let all: Vec<&str> = text.lines().collect();
    if all.is_empty() {
        return "(the log is empty)".to_owned();
    }
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_has_the_new_content_and_the_asked_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        replace(&path, PLAIN, b"old").unwrap();
        replace(&path, SECRET, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, SECRET);
    }

    #[test]
    fn a_missing_file_is_none_and_a_broken_one_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("value.json");
        assert_eq!(read_json::<u8>(&path).unwrap(), None);
        std::fs::write(&path, "{").unwrap();
        assert!(matches!(
            read_json::<u8>(&path),
            Err(LabError::Damaged { .. })
        ));
    }

    #[test]
    fn the_tail_of_a_log_is_its_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "one\ntwo\nthree\n").unwrap();
        assert_eq!(tail(&path, 2), "two\nthree");
    }
}
