//! Asking the probes' pods, and the cluster about them.

use super::super::AddonError;
use super::answer::Answer;
use k8s_openapi::api::core::v1::{ContainerStatus, Namespace, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, PropagationPolicy,
};
use kube::{Client, ResourceExt as _};
use std::time::{Duration, Instant};

/// One question to a pod; the pod's own limit is shorter.
const QUESTION: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

/// The pods of one cluster.
#[derive(Clone)]
pub(super) struct Pods {
    client: Client,
}

impl Pods {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Sends a request to a pod through the API server.
    pub(super) async fn ask(&self, namespace: &str, pod: &str, path: &str) -> Answer {
        let uri = format!("/api/v1/namespaces/{namespace}/pods/{pod}:8080/proxy/{path}");
        let request = match http::Request::get(uri).body(Vec::new()) {
            Ok(request) => request,
            Err(error) => return Answer::Trouble(error.to_string()),
        };
        match tokio::time::timeout(QUESTION, self.client.request_text(request)).await {
            Ok(Ok(text)) => Answer::of_pod(&text),
            Ok(Err(error)) => Answer::Trouble(error.to_string()),
            Err(_) => Answer::Trouble(format!(
                "the pod `{pod}` did not answer in {} s",
                QUESTION.as_secs()
            )),
        }
    }

    /// The address of a pod.
    pub(super) async fn address(&self, namespace: &str, pod: &str) -> Result<String, AddonError> {
        let found = self
            .pods(namespace)
            .get(pod)
            .await
            .map_err(|source| ask("a pod of the probes", source))?;
        Ok(found
            .status
            .and_then(|status| status.pod_ip)
            .unwrap_or_default())
    }

    /// The first address that a Gateway's status names.
    pub(super) async fn gateway_address(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<String>, AddonError> {
        let kind = GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "Gateway");
        let api: Api<DynamicObject> = Api::namespaced_with(
            self.client.clone(),
            namespace,
            &ApiResource::from_gvk(&kind),
        );
        let gateway = api
            .get(name)
            .await
            .map_err(|source| ask("the Gateway of the probes", source))?;
        let address = gateway.data["status"]["addresses"][0]["value"].as_str();
        Ok(address
            .filter(|address| !address.is_empty())
            .map(str::to_owned))
    }

    /// Deletes a NetworkPolicy.
    pub(super) async fn remove_policy(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<(), AddonError> {
        let api: Api<NetworkPolicy> = Api::namespaced(self.client.clone(), namespace);
        api.delete(name, &DeleteParams::default())
            .await
            .map_err(|source| ask("the policy's removal", source))?;
        Ok(())
    }

    /// Deletes a namespace that earlier probes may have left, and waits until it is gone.
    pub(super) async fn remove_namespace(
        &self,
        name: &str,
        deadline: Instant,
    ) -> Result<(), AddonError> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let left = || api.get_opt(name);
        if left()
            .await
            .map_err(|source| ask("a namespace", source))?
            .is_none()
        {
            return Ok(());
        }
        self.forget_namespace(name).await?;
        while left()
            .await
            .map_err(|source| ask("a namespace", source))?
            .is_some()
        {
            if Instant::now() > deadline {
                return Err(AddonError::Leftover {
                    namespace: name.to_owned(),
                });
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Deletes a namespace without waiting for it.
    pub(super) async fn forget_namespace(&self, name: &str) -> Result<(), AddonError> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        match api.delete(name, &params).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
            Err(source) => Err(ask("a namespace's removal", source)),
        }
    }

    /// All pods that are not ready and why, for people.
    pub(super) async fn hints(&self) -> String {
        let api: Api<Pod> = Api::all(self.client.clone());
        match api.list(&ListParams::default()).await {
            Ok(pods) => pods.iter().filter_map(hint).collect(),
            Err(error) => format!("\n  the pods could not be listed: {error}"),
        }
    }

    fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

fn ask(what: &str, source: kube::Error) -> AddonError {
    AddonError::Ask {
        what: what.to_owned(),
        source: Box::new(source),
    }
}

fn hint(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let waiting = status
        .container_statuses
        .iter()
        .flatten()
        .filter(|container| !container.ready)
        .map(reason);
    let mut reasons: Vec<String> = waiting.collect();
    if status.phase.as_deref() == Some("Pending") && reasons.is_empty() {
        reasons.push(unscheduled(pod));
    }
    let namespace = pod.namespace().unwrap_or_default();
    (!reasons.is_empty()).then(|| {
        format!(
            "\n  pod {namespace}/{}: {}",
            pod.name_any(),
            reasons.join(", ")
        )
    })
}

fn reason(container: &ContainerStatus) -> String {
    let waiting = container
        .state
        .as_ref()
        .and_then(|state| state.waiting.as_ref());
    let why = waiting.map_or("not ready", |waiting| {
        waiting.reason.as_deref().unwrap_or("waiting")
    });
    let message = waiting
        .and_then(|waiting| waiting.message.as_deref())
        .unwrap_or_default();
    format!("{} {why} {message}", container.name)
        .trim_end()
        .to_owned()
}

fn unscheduled(pod: &Pod) -> String {
    let conditions = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    let messages = conditions
        .filter(|condition| condition.status == "False")
        .filter_map(|one| one.message.clone());
    messages
        .reduce(|all, one| format!("{all}; {one}"))
        .unwrap_or_else(|| "not started".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_that_waits_says_for_what() {
        let pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"namespace": "traefik", "name": "traefik-1"},
            "status": {"phase": "Pending", "containerStatuses": [{
                "name": "traefik", "ready": false, "restartCount": 0, "image": "", "imageID": "",
                "state": {"waiting": {"reason": "ErrImageNeverPull", "message": "image is not present"}}
            }]}
        }))
        .unwrap();
        let told = hint(&pod).unwrap();
        assert_eq!(
            told,
            "\n  pod traefik/traefik-1: traefik ErrImageNeverPull image is not present"
        );
    }

    #[test]
    fn a_ready_pod_is_not_a_hint() {
        let pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "p"},
            "status": {"phase": "Running", "containerStatuses": [
                {"name": "c", "ready": true, "restartCount": 0, "image": "", "imageID": ""}
            ]}
        }))
        .unwrap();
        assert_eq!(hint(&pod), None);
    }
}
