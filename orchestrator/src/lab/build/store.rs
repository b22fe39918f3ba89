//! Where built components are kept: one directory each, named by the digest of everything that went into it.

use super::catalog::{Component, ModuleFile};
use super::plan::{Part, PartKey};
use super::shell::{self, Log};
use super::toolchain::Toolchain;
use super::{BuildError, catalog};
use crate::progress::Progress;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Changes whenever the way of building changes in a manner that the other inputs do not show.
const BUILD_VERSION: u32 = 1;
/// Description of a component, in its directory.
const DESCRIPTION: &str = "component.json";

/// Portproof's cache directory, as far as components are concerned.
#[derive(Clone, Debug)]
pub struct Store {
    cache: PathBuf,
}

/// One component that is built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// Name in the catalogue.
    pub name: String,
    /// Upstream version.
    pub version: String,
    /// Digest of everything that went into it, in hex.
    pub digest: String,
    /// Go that built it.
    pub go: String,
    /// Why its source was changed, where it was.
    pub changed: Option<String>,
    /// Where it is.
    #[serde(skip)]
    pub directory: PathBuf,
}

/// The components that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Components {
    built: BTreeMap<String, Built>,
    bin: PathBuf,
}

/// A place to build one component in.
#[derive(Debug)]
pub struct Workplace {
    root: tempfile::TempDir,
    /// The pinning module, written out.
    pub(super) module: PathBuf,
    /// What will be the component's directory.
    pub(super) out: PathBuf,
    /// Environment of every Go command.
    pub(super) environment: Vec<(&'static str, String)>,
    /// Where all output goes.
    pub(super) log: Log,
    toolchain: Toolchain,
}

impl Workplace {
    /// A directory below the workplace that is thrown away afterwards.
    pub(super) fn scratch(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The directory for programs of the component.
    pub(super) fn bin(&self) -> PathBuf {
        self.out.join("bin")
    }

    /// The directory for manifests of the component.
    pub(super) fn manifests(&self) -> PathBuf {
        self.out.join("manifests")
    }
}

impl Store {
    /// The store below portproof's cache directory.
    pub fn new(cache: &Path) -> Self {
        Self {
            cache: cache.to_path_buf(),
        }
    }

    /// Portproof's cache directory.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    fn root(&self) -> PathBuf {
        self.cache.join("components")
    }

    /// The directory of Go's module and build caches.
    pub fn go_caches(&self) -> PathBuf {
        self.cache.join("go")
    }

    /// Finds the place of a component.
    pub fn part(&self, key: &PartKey<'_>) -> Part {
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
            if entry.file_name().to_string_lossy().starts_with(WORK_PREFIX) {
                fs_err::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    /// Prepares a place to build `component` in.
    pub(super) fn workplace(
        &self,
        component: &Component,
        toolchain: &Toolchain,
    ) -> Result<Workplace, BuildError> {
        let root = tempfile::Builder::new()
            .prefix(WORK_PREFIX)
            .tempdir_in(self.root())?;
        let (module, out) = (root.path().join("module"), root.path().join("out"));
        write_module(component.module(), &module)?;
        fs_err::create_dir_all(&out)?;
        let log = self
            .cache
            .join("logs")
            .join(format!("build-{}.log", component.name));
        Ok(Workplace {
            log: Log::begin(component.name, log)?,
            environment: self.environment(),
            toolchain: toolchain.clone(),
            root,
            module,
            out,
        })
    }

    /// Our own caches and flags, whatever the user's are; the user's proxy and checksum settings stay.
    fn environment(&self) -> Vec<(&'static str, String)> {
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

    /// Gives a finished component its name; it appears whole or not at all.
    pub(super) fn publish(&self, part: &Part, work: Workplace) -> Result<(), BuildError> {
        for program in part.component.programs() {
            let path = work.bin().join(program);
            if !path.is_file() {
                return Err(no_result(part.component.name, program));
            }
            shell::set_mode(&path, 0o755)?;
        }
        let description = Built {
            name: part.component.name.to_owned(),
            version: part.component.version.to_owned(),
            digest: part.digest.clone(),
            go: work.toolchain.version.clone(),
            changed: part.patch.map(|patch| patch.reason.to_owned()),
            directory: part.directory.clone(),
        };
        write_description(&description, &work.out.join(DESCRIPTION))?;
        fs_err::rename(&work.out, &part.directory)?;
        Ok(())
    }

    /// Collects built components and puts their programs into one directory.
    ///
    /// # Errors
    /// [`BuildError::NotBuilt`] names those that are missing.
    pub(super) fn components(&self, parts: Vec<Part>) -> Result<Components, BuildError> {
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
            .map(read_description)
            .collect::<Result<Vec<_>, _>>()?;
        let bin = self.bin(&parts)?;
        Ok(Components {
            built: built
                .into_iter()
                .map(|built| (built.name.clone(), built))
                .collect(),
            bin,
        })
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
    ///
    /// # Errors
    /// [`BuildError::Io`] when they cannot be removed.
    pub fn remove_go_caches(&self) -> Result<(), BuildError> {
        let caches = self.go_caches();
        if !caches.exists() {
            return Ok(());
        }
        make_writable(&caches)?;
        fs_err::remove_dir_all(&caches)?;
        Ok(())
    }
}

const WORK_PREFIX: &str = ".work-";

impl Components {
    /// One component.
    ///
    /// # Errors
    /// [`BuildError::NotBuilt`] when it was not asked for.
    pub fn component(&self, name: &str) -> Result<&Built, BuildError> {
        self.built.get(name).ok_or_else(|| BuildError::NotBuilt {
            missing: name.to_owned(),
        })
    }

    /// All components, by name.
    pub fn all(&self) -> impl Iterator<Item = &Built> {
        self.built.values()
    }

    /// The path of a program.
    ///
    /// # Errors
    /// [`BuildError::NotBuilt`] when none of the components brings it.
    pub fn program(&self, name: &str) -> Result<PathBuf, BuildError> {
        self.built
            .values()
            .map(|built| built.directory.join("bin").join(name))
            .find(|path| path.is_file())
            .ok_or_else(|| BuildError::NotBuilt {
                missing: name.to_owned(),
            })
    }

    /// A directory that holds every program under its own name.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// The directory with a component's manifests.
    ///
    /// # Errors
    /// [`BuildError::NotBuilt`] when the component brings none.
    pub fn manifests(&self, component: &str) -> Result<PathBuf, BuildError> {
        let directory = self.component(component)?.directory.join("manifests");
        if directory.is_dir() {
            return Ok(directory);
        }
        Err(BuildError::NotBuilt {
            missing: format!("manifests of {component}"),
        })
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

fn write_module(files: &[ModuleFile], directory: &Path) -> Result<(), BuildError> {
    fs_err::create_dir_all(directory)?;
    for (name, text) in files {
        let path = directory.join(name);
        fs_err::create_dir_all(path.parent().unwrap_or(directory))?;
        fs_err::write(path, text)?;
    }
    Ok(())
}

fn write_description(built: &Built, path: &Path) -> Result<(), BuildError> {
    let text = serde_json::to_vec_pretty(built).map_err(|source| BuildError::Description {
        path: path.to_path_buf(),
        source,
    })?;
    fs_err::write(path, text)?;
    Ok(())
}

fn read_description(part: &Part) -> Result<Built, BuildError> {
    let path = part.directory.join(DESCRIPTION);
    let mut built: Built = serde_json::from_slice(&fs_err::read(&path)?).map_err(|source| {
        BuildError::Description {
            path: path.clone(),
            source,
        }
    })?;
    built.directory.clone_from(&part.directory);
    Ok(built)
}

fn link_all(parts: &[Part], root: &Path, bin: &Path) -> Result<(), BuildError> {
    let fresh = tempfile::Builder::new()
        .prefix(WORK_PREFIX)
        .tempdir_in(root)?;
    for part in parts {
        for program in part.component.programs() {
            symlink(
                part.directory.join("bin").join(program),
                fresh.path().join(program),
            )?;
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

fn no_result(component: &str, what: &str) -> BuildError {
    BuildError::NoResult {
        component: component.to_owned(),
        what: what.to_owned(),
    }
}

/// Names every component, for messages and completions.
pub fn names() -> impl Iterator<Item = &'static str> {
    catalog::COMPONENTS.iter().map(|component| component.name)
}

#[cfg(test)]
mod tests;
