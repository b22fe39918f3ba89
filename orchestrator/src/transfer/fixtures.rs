//! Fixtures: Tools and the ConfigMaps they refer to, as files beside a scenario, made into a bundle.

use fs_err as fs;
use portproof_proto::bundle::Bundle;
use portproof_proto::tool;
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};

/// Why fixtures cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum FixtureError {
    /// A directory or file cannot be read.
    #[error("the fixtures cannot be read")]
    Io(#[from] io::Error),
    /// A file is not valid YAML.
    #[error("`{path}` is not valid YAML")]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<serde_saphyr::Error>,
    },
    /// A file holds something that is not carried.
    #[error("`{path}` holds a `{kind}`: fixtures are objects of kind Tool or ConfigMap")]
    Kind {
        /// The file.
        path: PathBuf,
        /// What it holds.
        kind: String,
    },
    /// A directory holds no fixture.
    #[error("`{path}` holds no .yaml file")]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// The CRD cannot be written as JSON.
    #[error("the Tool CRD cannot be written as JSON")]
    Crd(#[source] serde_json::Error),
}

/// Loads every `.yaml` file of the directories, puts the objects into `namespace` and adds the Tool CRD.
///
/// # Errors
/// See [`FixtureError`].
pub fn load(directories: &[PathBuf], namespace: &str) -> Result<Bundle, FixtureError> {
    let mut objects = Vec::new();
    for directory in directories {
        for path in yaml_files(directory)? {
            objects.push(in_namespace(read(&path)?, namespace));
        }
    }
    let crd = tool::crd().map_err(FixtureError::Crd)?;
    Ok(Bundle::new(&[crd], &objects, Vec::new()))
}

fn yaml_files(directory: &Path) -> Result<Vec<PathBuf>, FixtureError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        Err(FixtureError::Empty {
            path: directory.to_owned(),
        })
    } else {
        Ok(files)
    }
}

fn read(path: &Path) -> Result<Value, FixtureError> {
    let text = fs::read_to_string(path)?;
    let object: Value = serde_saphyr::from_str(&text).map_err(|source| FixtureError::Yaml {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    match object
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default()
    {
        "Tool" | "ConfigMap" => Ok(object),
        other => Err(FixtureError::Kind {
            path: path.to_owned(),
            kind: other.to_owned(),
        }),
    }
}

fn in_namespace(mut object: Value, namespace: &str) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("namespace".into(), namespace.into());
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str, text: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(name), text).unwrap();
        directory
    }

    fn load_one(directory: &tempfile::TempDir) -> Result<Bundle, FixtureError> {
        load(&[directory.path().to_owned()], "n")
    }

    #[test]
    fn a_fixture_is_put_into_the_namespace_of_the_run_and_the_crd_goes_with_it() {
        let files = directory(
            "c.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: docs}\ndata: {k: v}\n",
        );
        let bundle = load_one(&files).unwrap();
        assert_eq!(bundle.objects[0]["metadata"]["namespace"], "n");
        assert_eq!(bundle.crds[0]["metadata"]["name"], tool::CRD_NAME);
    }

    #[test]
    fn a_kind_that_is_not_carried_is_refused_with_its_file() {
        let files = directory(
            "s.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n",
        );
        let error = load_one(&files).unwrap_err();
        assert!(
            matches!(&error, FixtureError::Kind { path, kind } if kind == "Secret" && path.ends_with("s.yaml"))
        );
    }

    #[test]
    fn an_empty_directory_and_broken_yaml_are_errors() {
        assert!(matches!(
            load_one(&directory("x.txt", "")),
            Err(FixtureError::Empty { .. })
        ));
        assert!(matches!(
            load_one(&directory("x.yaml", "a: [")),
            Err(FixtureError::Yaml { .. })
        ));
    }
}
