//! Where built components are kept: one directory each, named by the digest of everything that went into it.

use super::BuildError;
use super::components::{Built, Components};
use super::plan::{Part, PartKey};
use super::shell::{self, Log};
use super::workplace::{self, Variables, Workplace};
use crate::progress::Progress;
use sha2::{Digest as _, Sha256};
use std::fs::{File, TryLockError};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Changes whenever the way of building changes in a manner that the other inputs do not show.
const BUILD_VERSION: u32 = 1;

/// Portproof's cache directory, as far as components are concerned.
#[derive(Clone, Debug)]
pub(super) struct Store {
    cache: PathBuf,
}

impl Store {
    pub(super) fn new(cache: &Path) -> Self {
        Self {
            cache: cache.to_path_buf(),
        }
    }

    pub(super) fn cache(&self) -> &Path {
        &self.cache
    }

    fn root(&self) -> PathBuf {
        self.cache.join("components")
    }

    /// The directory of Go's module and build caches.
    pub(super) fn go_caches(&self) -> PathBuf {
        self.cache.join("go")
    }

    /// Finds the place of a component.
    pub(super) fn part(&self, key: &PartKey<'_>) -> Part {
        let digest = digest(key);
        let directory = self
            .root()
            .join(format!("{}-{}", key.component.name, &digest[..16]));
        Part {
            component: key.component,
            patch: key.patch,
            digest,
            directory,
        }
    }

    /// Waits until no other build is at work, and removes what an interrupted one left.
    pub(super) fn lock(&self, progress: &dyn Progress) -> Result<File, BuildError> {
        fs_err::create_dir_all(self.root())?;
        let (lock, path) = fs_err::File::create(self.root().join(".lock"))?.into_parts();
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress.note(&format!(
                    "another build holds `{}`; waiting for it",
                    path.display()
                ));
                lock.lock()?;
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        self.remove_leftovers()?;
        Ok(lock)
    }

    fn remove_leftovers(&self) -> Result<(), BuildError> {
        for entry in fs_err::read_dir(self.root())? {
            let entry = entry?;
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with(workplace::PREFIX)
            {
                fs_err::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    /// Prepares a place to build a part in.
    pub(super) fn workplace(&self, part: &Part) -> Result<Workplace, BuildError> {
        let name = part.component.name;
        let log = Log::begin(
            name,
            self.cache.join("logs").join(format!("build-{name}.log")),
        )?;
        Workplace::new(part, &self.root(), log, self.environment())
    }

    /// Our own caches and flags, whatever the user's are; the user's proxy and checksum settings stay.
    fn environment(&self) -> Variables {
        let below = |name| self.go_caches().join(name).display().to_string();
        vec![
            ("GOMODCACHE", below("mod")),
            ("GOCACHE", below("build")),
            ("GOFLAGS", "-mod=readonly".to_owned()),
            ("GOTOOLCHAIN", "local".to_owned()),
            ("GOWORK", "off".to_owned()),
            ("GO111MODULE", "on".to_owned()),
            ("GOOS", "linux".to_owned()),
        ]
    }

    /// Collects built components and puts their programs into one directory.
    pub(super) fn components(&self, parts: &[Part]) -> Result<Components, BuildError> {
        let missing: Vec<&str> = parts
            .iter()
            .filter(|part| !part.directory.is_dir())
            .map(|part| part.component.name)
            .collect();
        if !missing.is_empty() {
            return Err(BuildError::NotBuilt {
                missing: missing.join(", "),
            });
        }
        let built = parts
            .iter()
            .map(Built::read)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Components::new(built, self.bin(parts)?))
    }

    /// One directory with a link to every program, so that a node needs one entry on its path.
    fn bin(&self, parts: &[Part]) -> Result<PathBuf, BuildError> {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(&part.digest);
        }
        let bin = self
            .root()
            .join(format!("bin-{}", &hex::encode(hash.finalize())[..16]));
        if !bin.is_dir() {
            link_all(parts, &self.root(), &bin)?;
        }
        Ok(bin)
    }

    /// Removes Go's module and build caches.
    pub(super) fn remove_go_caches(&self) -> Result<(), BuildError> {
        let caches = self.go_caches();
        if !caches.exists() {
            return Ok(());
        }
        make_writable(&caches)?;
        fs_err::remove_dir_all(&caches)?;
        Ok(())
    }
}

/// The digest of everything that a component is made from.
fn digest(key: &PartKey<'_>) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    add(&format!("{BUILD_VERSION} {:?}", key.toolchain));
    add(&format!(
        "{} {} {:?}",
        key.component.name, key.component.version, key.patch
    ));
    // The recipe's text form holds programs, flags, tags and the module files.
    add(&format!("{:?}", key.component.recipe));
    hex::encode(hash.finalize())
}

fn link_all(parts: &[Part], root: &Path, bin: &Path) -> Result<(), BuildError> {
    let fresh = tempfile::Builder::new()
        .prefix(workplace::PREFIX)
        .tempdir_in(root)?;
    for part in parts {
        // Relative, so that the cache may be moved.
        let programs = Path::new("..")
            .join(part.directory.file_name().unwrap_or_default())
            .join("bin");
        for program in part.component.programs() {
            symlink(programs.join(program), fresh.path().join(program))?;
        }
    }
    shell::set_mode(fresh.path(), 0o755)?;
    match fs_err::rename(fresh.path(), bin) {
        // Somebody else made the same directory meanwhile.
        Err(_) if bin.is_dir() => Ok(()),
        other => Ok(other?),
    }
}

/// Go's module cache is read-only, directories included.
fn make_writable(directory: &Path) -> Result<(), BuildError> {
    shell::set_mode(directory, 0o755)?;
    for entry in fs_err::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
