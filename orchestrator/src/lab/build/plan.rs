//! Which components there must be, and which of them are missing.

use super::catalog::{COMPONENTS, Component};
use super::patch::Patch;
use super::store::Store;
use super::toolchain::Toolchain;
use super::{BuildError, component};
use rustix::thread::{CapabilitySet, capabilities};
use std::path::PathBuf;

/// What to build and where to keep it.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// Portproof's cache directory.
    pub cache: PathBuf,
    /// Names of the components that are wanted; all when empty.
    pub only: Vec<String>,
    /// Leaves the Go caches where they are, for the next build.
    pub keep_caches: bool,
}

/// Portproof's cache directory: `$XDG_CACHE_HOME/portproof`, or `~/.cache/portproof`.
pub fn cache_directory() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = named.filter(|path| path.is_absolute()).or_else(home);
    cache.unwrap_or_else(std::env::temp_dir).join("portproof")
}

impl BuildOptions {
    /// All components, kept in `cache`.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            cache: cache.into(),
            only: Vec::new(),
            keep_caches: false,
        }
    }
}

/// One component as this machine needs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartKey<'a> {
    /// The component.
    pub(super) component: &'static Component,
    /// The change of its source, where this machine needs one.
    pub(super) patch: Option<&'static Patch>,
    /// What builds it.
    pub(super) toolchain: &'a Toolchain,
}

/// One component, where it belongs and whether it is there.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// The component.
    pub(super) component: &'static Component,
    /// The change of its source, where this machine needs one.
    pub(super) patch: Option<&'static Patch>,
    /// Digest of everything that goes into it, in hex.
    pub(super) digest: String,
    /// Where it belongs.
    pub(super) directory: PathBuf,
}

/// All parts that were asked for, in the order they are built.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The parts.
    pub(super) parts: Vec<Part>,
}

impl Plan {
    /// Looks at the store.
    ///
    /// # Errors
    /// [`BuildError::Unknown`] when a name in the options is no component.
    pub(super) fn new(
        options: &BuildOptions,
        store: &Store,
        toolchain: &Toolchain,
    ) -> Result<Self, BuildError> {
        let unprivileged = !may_lower_oom_scores();
        let part = |component: &'static Component| {
            let patch = component.patch().filter(|_| unprivileged);
            store.part(&PartKey {
                component,
                patch,
                toolchain,
            })
        };
        Ok(Self {
            parts: wanted(options)?.into_iter().map(part).collect(),
        })
    }

    /// Parts that are not there, in the order they are built.
    pub(super) fn missing(&self) -> Vec<&Part> {
        let is_missing = |part: &&Part| !part.directory.is_dir();
        self.parts.iter().filter(is_missing).collect()
    }

    /// Whether nothing is missing.
    pub(super) fn is_complete(&self) -> bool {
        self.missing().is_empty()
    }
}

/// What parts take to build, in whole minutes.
pub(super) fn minutes(parts: &[&Part]) -> u32 {
    let tenths: u32 = parts
        .iter()
        .map(|part| part.component.tenths_of_minutes)
        .sum();
    tenths.div_ceil(10)
}

fn wanted(options: &BuildOptions) -> Result<Vec<&'static Component>, BuildError> {
    for name in &options.only {
        component(name)?;
    }
    let is_wanted =
        |name: &str| options.only.is_empty() || options.only.iter().any(|wanted| wanted == name);
    Ok(COMPONENTS
        .iter()
        .filter(|component| is_wanted(component.name))
        .collect())
}

/// Whether this process has `CAP_SYS_RESOURCE`. Where that cannot be found out it is taken as missing, because the
/// patched shim works everywhere.
fn may_lower_oom_scores() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_RESOURCE))
}
