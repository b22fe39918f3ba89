//! Components that are built: where their programs and manifests are.

use super::BuildError;
use super::plan::Part;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Description of a component, in its directory.
const DESCRIPTION: &str = "component.json";

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

impl Built {
    /// Writes the description into the directory `out`, which will become the component's.
    pub(super) fn write(&self, out: &Path) -> Result<(), BuildError> {
        let path = out.join(DESCRIPTION);
        let text = serde_json::to_vec_pretty(self).map_err(|source| BuildError::Description {
            path: path.clone(),
            source,
        })?;
        fs_err::write(path, text)?;
        Ok(())
    }

    /// Reads the description of a part that is there.
    pub(super) fn read(part: &Part) -> Result<Self, BuildError> {
        let path = part.directory.join(DESCRIPTION);
        let built: Self = serde_json::from_slice(&fs_err::read(&path)?)
            .map_err(|source| BuildError::Description { path, source })?;
        Ok(Self {
            directory: part.directory.clone(),
            ..built
        })
    }
}

/// The components that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Components {
    built: BTreeMap<String, Built>,
    bin: PathBuf,
}

impl Components {
    pub(super) fn new(built: Vec<Built>, bin: PathBuf) -> Self {
        let built = built
            .into_iter()
            .map(|built| (built.name.clone(), built))
            .collect();
        Self { built, bin }
    }

    /// One component.
    ///
    /// # Errors
    /// [`BuildError::NotBuilt`] when it was not asked for.
    pub fn component(&self, name: &str) -> Result<&Built, BuildError> {
        self.built.get(name).ok_or_else(|| not_built(name))
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
        let paths = self
            .built
            .values()
            .map(|built| built.directory.join("bin").join(name));
        paths
            .into_iter()
            .find(|path| path.is_file())
            .ok_or_else(|| not_built(name))
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
            Ok(directory)
        } else {
            Err(not_built(&format!("manifests of {component}")))
        }
    }
}

fn not_built(missing: &str) -> BuildError {
    BuildError::NotBuilt {
        missing: missing.to_owned(),
    }
}
