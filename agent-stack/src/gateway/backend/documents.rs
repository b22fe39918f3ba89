//! Searches the documents of a ConfigMap: one key, one document.

use super::search::{Document, search};
use super::{Answer, BackendError, text_argument};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use portproof_proto::tool::DocumentsBackend;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where documents come from.
pub trait DocumentSource: Send + Sync {
    /// The documents of the ConfigMap, by key.
    fn documents<'a>(
        &'a self,
        config_map: &'a str,
    ) -> BoxFuture<'a, Result<BTreeMap<String, String>, BackendError>>;
}

/// Documents in ConfigMaps of the namespace, read anew for each call.
pub(in crate::gateway) struct ClusterDocuments {
    api: Api<ConfigMap>,
}

impl ClusterDocuments {
    pub(in crate::gateway) fn new(client: Client, namespace: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
        }
    }

    async fn read(&self, config_map: &str) -> Result<BTreeMap<String, String>, BackendError> {
        let found = self.api.get_opt(config_map).await;
        let found = found.map_err(|source| BackendError::Documents {
            config_map: config_map.to_owned(),
            source: Box::new(source),
        })?;
        let found = found.ok_or_else(|| BackendError::NoDocuments {
            config_map: config_map.to_owned(),
        })?;
        Ok(found.data.unwrap_or_default())
    }
}

impl DocumentSource for ClusterDocuments {
    fn documents<'a>(
        &'a self,
        config_map: &'a str,
    ) -> BoxFuture<'a, Result<BTreeMap<String, String>, BackendError>> {
        self.read(config_map).boxed()
    }
}

/// Documents that were given at the start, for a gateway without a cluster.
#[derive(Clone, Debug, Default)]
pub struct FixedDocuments {
    config_maps: BTreeMap<String, BTreeMap<String, String>>,
}

impl FixedDocuments {
    /// The documents of `config_maps`, by name and key.
    pub fn new(config_maps: BTreeMap<String, BTreeMap<String, String>>) -> Self {
        Self { config_maps }
    }
}

impl DocumentSource for FixedDocuments {
    fn documents<'a>(
        &'a self,
        config_map: &'a str,
    ) -> BoxFuture<'a, Result<BTreeMap<String, String>, BackendError>> {
        let found = self.config_maps.get(config_map).cloned();
        async move {
            found.ok_or_else(|| BackendError::NoDocuments {
                config_map: config_map.to_owned(),
            })
        }
        .boxed()
    }
}

pub(super) async fn call(
    source: &dyn DocumentSource,
    backend: &DocumentsBackend,
    arguments: &Value,
) -> Result<Answer, BackendError> {
    let query = text_argument(arguments, &backend.query_argument)?;
    let documents: Vec<Document> = source
        .documents(&backend.config_map_name)
        .await?
        .into_iter()
        .map(|(key, text)| Document::parse(key, &text))
        .collect();
    let limit = usize::try_from(backend.limit).unwrap_or(usize::MAX);
    Ok(Answer {
        value: json!({"hits": search(&documents, query, limit)}),
        is_error: false,
    })
}
