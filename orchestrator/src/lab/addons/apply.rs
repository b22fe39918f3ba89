//! Server-side apply of whole objects.

use super::AddonError;
use futures::future::try_join_all;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, TypeMeta};
use kube::{Client, ResourceExt as _};
use portproof_proto::names::FIELD_MANAGER;
use std::time::{Duration, Instant};

/// How long the API server may take to serve a new kind or to make a namespace's service account. A second or two is
/// usual; a busy machine takes much longer, and there giving up helps nobody.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// Applies objects to one cluster.
#[derive(Clone)]
pub(super) struct Applier {
    client: Client,
}

impl Applier {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// One after the other: what comes later may need what comes before.
    pub(super) async fn apply_in_order(&self, objects: &[DynamicObject]) -> Result<(), AddonError> {
        for object in objects {
            self.apply(object).await?;
        }
        Ok(())
    }

    /// Applies CRDs side by side and waits until the API server serves them.
    pub(super) async fn apply_crds(&self, crds: &[DynamicObject]) -> Result<(), AddonError> {
        try_join_all(crds.iter().map(|crd| self.apply(crd))).await?;
        try_join_all(crds.iter().map(|crd| self.wait_established(crd))).await?;
        Ok(())
    }

    /// Applies one object; refusals that pass by themselves are waited for.
    pub(super) async fn apply(&self, object: &DynamicObject) -> Result<(), AddonError> {
        let api = self.api(object);
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let start = Instant::now();
        loop {
            match api
                .patch(&object.name_any(), &params, &Patch::Apply(object))
                .await
            {
                Ok(_) => return Ok(()),
                Err(error) if passes(&error) && start.elapsed() < PATIENCE => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(source) => {
                    return Err(AddonError::Apply {
                        object: describe(object),
                        source: Box::new(source),
                    });
                }
            }
        }
    }

    async fn wait_established(&self, crd: &DynamicObject) -> Result<(), AddonError> {
        let (api, name, start) = (self.api(crd), crd.name_any(), Instant::now());
        loop {
            let stored = api.get(&name).await;
            let stored = stored.map_err(|source| AddonError::Ask {
                what: describe(crd),
                source: Box::new(source),
            })?;
            if is_established(&stored) {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                return Err(AddonError::NotWorking {
                    what: format!("{} is served", describe(crd)),
                    waited: start.elapsed(),
                    last: stored.data["status"].to_string(),
                    hints: String::new(),
                });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The API of an object's kind; an object without a namespace is one of the whole cluster.
    fn api(&self, object: &DynamicObject) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&kind(object));
        match object.metadata.namespace.as_deref() {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }
}

fn kind(object: &DynamicObject) -> GroupVersionKind {
    let TypeMeta { api_version, kind } = object.types.clone().unwrap_or_default();
    match api_version.split_once('/') {
        Some((group, version)) => GroupVersionKind::gvk(group, version, &kind),
        None => GroupVersionKind::gvk("", &api_version, &kind),
    }
}

fn describe(object: &DynamicObject) -> String {
    format!("{} `{}`", kind(object).kind, object.name_any())
}

/// A new kind is unknown for a moment, a new namespace has no service account for a moment, a new API server is busy.
fn passes(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else {
        return false;
    };
    match status.code {
        404 | 409 | 429 | 500..=504 => true,
        403 => {
            status.message.contains("serviceaccount") || status.message.contains("service account")
        }
        _ => false,
    }
}

fn is_established(crd: &DynamicObject) -> bool {
    let conditions = crd.data["status"]["conditions"].as_array();
    conditions.is_some_and(|conditions| {
        conditions
            .iter()
            .any(|condition| condition["type"] == "Established" && condition["status"] == "True")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn refusal(code: u16, message: &str) -> kube::Error {
        kube::Error::Api(Box::new(Status::failure(message, "").with_code(code)))
    }

    #[test]
    fn a_kind_that_is_not_served_yet_is_waited_for() {
        assert!(passes(&refusal(
            404,
            "the server could not find the requested resource"
        )));
        assert!(passes(&refusal(
            403,
            "error looking up service account x/default: serviceaccount \"default\" not found"
        )));
    }

    #[test]
    fn a_refusal_that_stays_is_not_tried_again() {
        assert!(!passes(&refusal(
            403,
            "violates PodSecurity \"restricted\""
        )));
        assert!(!passes(&refusal(422, "spec.clusterIP: invalid")));
    }

    #[test]
    fn a_crd_counts_when_it_is_established() {
        let crd = |status: &str| -> DynamicObject {
            serde_json::from_value(serde_json::json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "x"},
                "status": {"conditions": [{"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": status}]}
            }))
            .unwrap()
        };
        assert!(is_established(&crd("True")));
        assert!(!is_established(&crd("False")));
    }
}
