//! The interpreter's CPython 3.11, from Debian packages, with what no sandboxed program needs left out.

use super::{ImageError, Layer, debian, debian::Package};
use sha2::{Digest as _, Sha256};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Python itself and the libraries of the extension modules that stay.
const PACKAGES: [&str; 8] = [
    "python3.11-minimal",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libbz2-1.0",
    "libexpat1",
    "libffi8",
    "liblzma5",
    "zlib1g",
];

const PROGRAM: &str = "usr/bin/python3.11";
const LIBRARY: &str = "usr/lib/python3.11";

/// Parts of the standard library that are tests, need a terminal, an audio device, a database or TLS.
const LEFT_OUT: [&str; 15] = [
    "__pycache__",
    "curses",
    "dbm",
    "distutils",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "sitecustomize.py",
    "sqlite3",
    "test",
    "tests",
    "tkinter",
    "turtle.py",
    "turtledemo",
];

/// Extension modules that are left out, by the start of their names. `hashlib` works without `_hashlib`.
const EXTENSIONS_LEFT_OUT: [&str; 15] = [
    "_crypt.",
    "_ctypes_test.",
    "_curses",
    "_dbm.",
    "_gdbm.",
    "_hashlib.",
    "_sqlite3.",
    "_ssl.",
    "_test",
    "_uuid.",
    "_xx",
    "nis.",
    "ossaudiodev.",
    "readline.",
    "xxlimited",
];

/// A CPython that lies unpacked on this machine.
#[derive(Clone, Debug)]
pub struct Python {
    /// The tree its packages were unpacked into; also holds their libraries.
    pub root: PathBuf,
    /// Paths of the files that belong into an image, below `root`, sorted.
    pub files: Vec<String>,
}

impl Python {
    /// Fetches and unpacks CPython; both archives and tree are kept below `cache`.
    ///
    /// # Errors
    /// [`ImageError`] when the packages cannot be had or unpacked.
    pub fn prepare(cache: &Path) -> Result<Self, ImageError> {
        let packages = debian::fetch(&PACKAGES, &cache.join("debs"))?;
        let root = cache.join("python").join(&digest(&packages)[..16]);
        if !root.is_dir() {
            unpack(&packages, &root)?;
        }
        let mut files = Vec::new();
        walk(&root, PROGRAM, &mut files)?;
        walk(&root, LIBRARY, &mut files)?;
        walk(&root, "usr/share/doc", &mut files)?;
        Ok(Self { root, files })
    }

    /// Adds the files to a layer, with `python3` as a second name of the program.
    ///
    /// # Errors
    /// [`ImageError::Io`] when a file's mode cannot be read.
    pub fn add_to(&self, layer: Layer) -> Result<Layer, ImageError> {
        self.files.iter().try_fold(
            layer.symlink("usr/bin/python3", "python3.11"),
            |layer, path| {
                let source = self.root.join(path);
                let executable = fs_err::metadata(&source)?.permissions().mode() & 0o100 != 0;
                Ok(layer.file(path, &source, if executable { 0o755 } else { 0o644 }))
            },
        )
    }

    /// The program and the extension modules: whatever may need shared libraries.
    pub fn programs(&self) -> Vec<PathBuf> {
        let is_elf = |path: &&String| path.as_str() == PROGRAM || path.contains("/lib-dynload/");
        self.files
            .iter()
            .filter(is_elf)
            .map(|path| self.root.join(path))
            .collect()
    }
}

fn digest(packages: &[Package]) -> String {
    let mut hash = Sha256::new();
    for package in packages {
        hash.update(&package.sha256);
    }
    hex::encode(hash.finalize())
}

fn unpack(packages: &[Package], root: &Path) -> Result<(), ImageError> {
    let parent = root.parent().unwrap_or(root);
    fs_err::create_dir_all(parent)?;
    let fresh = tempfile::tempdir_in(parent)?;
    for package in packages {
        debian::unpack(package, fresh.path())?;
    }
    fs_err::rename(fresh.keep(), root)?;
    Ok(())
}

/// Collects the plain files at or below `path`. Links are left out: all of them lead to other packages.
fn walk(root: &Path, path: &str, files: &mut Vec<String>) -> Result<(), ImageError> {
    let kind = fs_err::symlink_metadata(root.join(path))?.file_type();
    if kind.is_file() {
        files.push(path.to_owned());
    } else if kind.is_dir() {
        for name in names(&root.join(path))?
            .iter()
            .filter(|name| belongs(path, name))
        {
            walk(root, &format!("{path}/{name}"), files)?;
        }
    }
    Ok(())
}

fn names(directory: &Path) -> Result<Vec<String>, ImageError> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Of the documentation only the licences stay.
fn belongs(directory: &str, name: &str) -> bool {
    if let Some(package) = directory.strip_prefix("usr/share/doc") {
        return package.is_empty() || name == "copyright";
    }
    if directory.ends_with("/lib-dynload") {
        return !EXTENSIONS_LEFT_OUT
            .iter()
            .any(|start| name.starts_with(start));
    }
    !LEFT_OUT.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_databases_stay_out() {
        for name in ["test", "__pycache__", "sqlite3"] {
            assert!(!belongs(LIBRARY, name), "{name}");
        }
        assert!(!belongs(
            "usr/lib/python3.11/lib-dynload",
            "_ssl.cpython-311-x86_64-linux-gnu.so"
        ));
    }

    #[test]
    fn what_programs_use_stays_in() {
        for name in ["json", "decimal.py", "statistics.py", "asyncio"] {
            assert!(belongs(LIBRARY, name), "{name}");
        }
        for name in [
            "_json.cpython-311-x86_64-linux-gnu.so",
            "_decimal.cpython-311-x86_64-linux-gnu.so",
        ] {
            assert!(belongs("usr/lib/python3.11/lib-dynload", name), "{name}");
        }
    }

    #[test]
    fn licences_are_the_only_documents() {
        assert!(belongs("usr/share/doc", "libexpat1"));
        assert!(belongs("usr/share/doc/libexpat1", "copyright"));
        assert!(!belongs("usr/share/doc/libexpat1", "changelog.gz"));
    }
}
