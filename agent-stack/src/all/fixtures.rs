//! The objects of a cluster, read from a folder.

use k8s_openapi::api::core::v1::ConfigMap;
use portproof_proto::tool::Tool;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FixturesError {
    /// Not there or not readable.
    #[error(
        "`{path}` cannot be read; name the folder that holds `tools` and `documents` with --fixtures"
    )]
    Read {
        /// Folder or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Not the object it should be.
    #[error("`{path}` is not a {kind}")]
    Object {
        /// The file.
        path: PathBuf,
        /// What it should be.
        kind: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<serde_saphyr::Error>,
    },
    /// No tools.
    #[error("there is no Tool in `{path}`")]
    NoTools {
        /// The folder.
        path: PathBuf,
    },
}

/// The objects of a stack.
#[derive(Clone, Debug, Default)]
pub struct Fixtures {
    /// `Tool` objects.
    pub tools: Vec<Tool>,
    /// Documents by name of their ConfigMap and key.
    pub documents: BTreeMap<String, BTreeMap<String, String>>,
}

impl Fixtures {
    /// Reads the YAML files in `tools` and `documents` of a folder.
    ///
    /// # Errors
    /// When a folder or a file cannot be read, or a file is not the object it should be.
    pub fn read(folder: &Path) -> Result<Self, FixturesError> {
        let path = folder.join("tools");
        let tools: Vec<Tool> = objects(&path, "Tool")?;
        if tools.is_empty() {
            return Err(FixturesError::NoTools { path });
        }
        let maps: Vec<ConfigMap> = objects(&folder.join("documents"), "ConfigMap")?;
        let documents = maps.into_iter().map(|map| {
            let name = map.metadata.name.unwrap_or_default();
            (name, map.data.unwrap_or_default())
        });
        Ok(Self {
            tools,
            documents: documents.collect(),
        })
    }

    /// Leads every backend that names one of these Services to its port on loopback.
    pub(super) fn move_backends(&mut self, ports: &BTreeMap<String, u16>) {
        for tool in &mut self.tools {
            let backend = &mut tool.spec.backend;
            let python = backend.python.as_mut();
            let http = backend.http.as_mut();
            let places = [
                python.map(|python| (&python.service_name, &mut python.port)),
                http.map(|http| (&http.service_name, &mut http.port)),
            ];
            for (service, port) in places.into_iter().flatten() {
                *port = ports.get(service).copied().unwrap_or(*port);
            }
        }
    }
}

/// The objects in the YAML files of a folder, in the order of their names.
fn objects<T: DeserializeOwned>(
    folder: &Path,
    kind: &'static str,
) -> Result<Vec<T>, FixturesError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| FixturesError::Read { path, source }
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
        files.push(entry.map_err(unreadable(folder))?.path());
    }
    files.retain(|file| {
        let extension = file.extension().and_then(|extension| extension.to_str());
        matches!(extension, Some("yaml" | "yml"))
    });
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
            serde_saphyr::from_str(&text).map_err(|source| FixturesError::Object {
                path,
                kind,
                source: Box::new(source),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(tool: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for part in ["tools", "documents"] {
            std::fs::create_dir(folder.path().join(part)).unwrap();
        }
        std::fs::write(folder.path().join("tools/t.yaml"), tool).unwrap();
        folder
    }

    #[test]
    fn the_shipped_fixtures_can_be_read() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/fixtures");
        let fixtures = Fixtures::read(&shipped).unwrap();
        assert!(fixtures.tools.len() >= 4);
        assert!(fixtures.documents["manuals"].len() >= 15);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named_with_the_flag() {
        let error = Fixtures::read(Path::new("/nowhere")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("`/nowhere/tools` cannot be read")
        );
        assert!(error.to_string().contains("--fixtures"));
    }

    #[test]
    fn a_file_that_is_no_tool_is_named() {
        let folder = folder("kind: Tool\nspec: 7\n");
        let error = Fixtures::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("tools/t.yaml` is not a Tool"), "{error}");
    }

    #[test]
    fn a_folder_without_tools_is_no_stack() {
        let folder = folder("x");
        std::fs::rename(
            folder.path().join("tools/t.yaml"),
            folder.path().join("tools/README"),
        )
        .unwrap();
        assert!(matches!(
            Fixtures::read(folder.path()),
            Err(FixturesError::NoTools { .. })
        ));
    }
}
