//! Searches the documents of a ConfigMap: one key, one document.
//!
//! A document set is indexed when it is first searched and again when it has changed, not for each call.

use super::search::{IndexError, Library};
use super::{Answer, BackendError, text_argument};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use portproof_proto::tool::DocumentsBackend;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// Where documents come from.
pub trait DocumentSource: Send + Sync {
    /// The documents of the ConfigMap, indexed.
    fn library<'a>(
        &'a self,
        config_map: &'a str,
    ) -> BoxFuture<'a, Result<Arc<Library>, BackendError>>;
}

/// Documents in ConfigMaps of the namespace, read anew for each call and indexed anew when they have changed.
pub(in crate::gateway) struct ClusterDocuments {
    api: Api<ConfigMap>,
    shelf: Shelf,
}

impl ClusterDocuments {
    pub(in crate::gateway) fn new(client: Client, namespace: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            shelf: Shelf::default(),
        }
    }

    async fn read(&self, config_map: &str) -> Result<Arc<Library>, BackendError> {
        let found = self.api.get_opt(config_map).await;
        let found = found.map_err(|source| BackendError::Documents {
            config_map: config_map.to_owned(),
            source: Box::new(source),
        })?;
        let Some(found) = found else {
            self.shelf.forget(config_map);
            return Err(no_documents(config_map));
        };
        let version = Version {
            uid: found.metadata.uid.unwrap_or_default(),
            resource_version: found.metadata.resource_version.unwrap_or_default(),
        };
        let texts = found.data.unwrap_or_default();
        self.shelf.library(config_map, version, texts).await
    }
}

impl DocumentSource for ClusterDocuments {
    fn library<'a>(
        &'a self,
        config_map: &'a str,
    ) -> BoxFuture<'a, Result<Arc<Library>, BackendError>> {
        self.read(config_map).boxed()
    }
}

/// Documents that were given at the start, for a gateway without a cluster.
#[derive(Default)]
pub struct FixedDocuments {
    config_maps: BTreeMap<String, BTreeMap<String, String>>,
    shelf: Shelf,
}

impl FixedDocuments {
    /// The documents of `config_maps`, by name and key.
    pub fn new(config_maps: BTreeMap<String, BTreeMap<String, String>>) -> Self {
        Self {
            config_maps,
            shelf: Shelf::default(),
        }
    }

    async fn read(&self, config_map: &str) -> Result<Arc<Library>, BackendError> {
        let texts = self.config_maps.get(config_map);
        let texts = texts.ok_or_else(|| no_documents(config_map))?.clone();
        self.shelf
            .library(config_map, Version::default(), texts)
            .await
    }
}

impl DocumentSource for FixedDocuments {
    fn library<'a>(
        &'a self,
        config_map: &'a str,
    ) -> BoxFuture<'a, Result<Arc<Library>, BackendError>> {
        self.read(config_map).boxed()
    }
}

/// One state of one ConfigMap: a new object of the same name has another UID.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Version {
    uid: String,
    resource_version: String,
}

/// Indexed document sets by name of their ConfigMap, one version of each.
#[derive(Default)]
struct Shelf {
    libraries: Mutex<BTreeMap<String, (Version, Arc<Place>)>>,
}

/// Where an index stands, or will once the first call that wants it has built it.
type Place = OnceCell<Arc<Library>>;

impl Shelf {
    /// The index of that version; built once for all calls that wait for it.
    async fn library(
        &self,
        config_map: &str,
        version: Version,
        texts: BTreeMap<String, String>,
    ) -> Result<Arc<Library>, BackendError> {
        let place = self.place(config_map, version);
        let library = place.get_or_try_init(|| build(texts)).await?;
        Ok(Arc::clone(library))
    }

    fn place(&self, config_map: &str, version: Version) -> Arc<Place> {
        let mut libraries = self.lock();
        match libraries.get(config_map) {
            Some((found, place)) if *found == version => Arc::clone(place),
            _ => {
                let place = Arc::<Place>::default();
                libraries.insert(config_map.to_owned(), (version, Arc::clone(&place)));
                place
            }
        }
    }

    fn forget(&self, config_map: &str) {
        self.lock().remove(config_map);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (Version, Arc<Place>)>> {
        self.libraries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Builds an index aside, because it may take longer than the runtime's other work should wait.
async fn build(texts: BTreeMap<String, String>) -> Result<Arc<Library>, BackendError> {
    let built = tokio::task::spawn_blocking(move || Library::build(&texts)).await;
    let library = built.map_err(IndexError::Build).flatten();
    library.map(Arc::new).map_err(BackendError::Index)
}

fn no_documents(config_map: &str) -> BackendError {
    BackendError::NoDocuments {
        config_map: config_map.to_owned(),
    }
}

pub(super) async fn call(
    source: &dyn DocumentSource,
    backend: &DocumentsBackend,
    arguments: &Value,
) -> Result<Answer, BackendError> {
    let query = text_argument(arguments, &backend.query_argument)?;
    let library = source.library(&backend.config_map_name).await?;
    let limit = usize::try_from(backend.limit).unwrap_or(usize::MAX);
    let hits = library.search(query, limit).map_err(BackendError::Index)?;
    Ok(Answer {
        value: json!({"hits": hits}),
        failure: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("k".to_owned(), text.to_owned())])
    }

    fn version(resource_version: &str) -> Version {
        Version {
            uid: "u".into(),
            resource_version: resource_version.into(),
        }
    }

    #[tokio::test]
    async fn a_document_set_is_indexed_once_for_each_version() {
        let shelf = Shelf::default();
        let library = async |resource_version, text| {
            let version = version(resource_version);
            shelf
                .library("manuals", version, texts(text))
                .await
                .unwrap()
        };
        let first = library("1", "pump").await;
        assert!(Arc::ptr_eq(&first, &library("1", "pump").await));
        let changed = library("2", "valve").await;
        assert!(!Arc::ptr_eq(&first, &changed));
        assert_eq!(changed.search("valve", 1).unwrap().len(), 1);
        shelf.forget("manuals");
        assert!(!Arc::ptr_eq(&changed, &library("2", "valve").await));
    }

    #[tokio::test]
    async fn calls_that_come_together_have_one_index_built() {
        let shelf = Shelf::default();
        let library = || shelf.library("manuals", version("1"), texts("pump"));
        let (one, other) = tokio::join!(library(), library());
        assert!(Arc::ptr_eq(&one.unwrap(), &other.unwrap()));
    }

    #[tokio::test]
    async fn a_config_map_that_is_not_there_is_named() {
        let source = FixedDocuments::default();
        let missing = source.library("manuals").await.err().unwrap();
        assert_eq!(missing.to_string(), "there is no ConfigMap `manuals`");
    }
}
