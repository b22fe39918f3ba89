//! Waiting for the control agent's pod, and saying why it does not come.

use crate::cluster::{Cluster, ClusterError};
use k8s_openapi::api::core::v1::{ContainerState, Pod};
use kube::api::{Api, ListParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use portproof_proto::names::{self, Part};
use std::pin::pin;
use std::time::Duration;
use futures::TryStreamExt as _;

pub(super) async fn control_pod(
    cluster: &Cluster,
    namespace: &str,
    deadline: Duration,
) -> Result<String, ClusterError> {
    let pods: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    let selector = format!("{}={}", names::PART_LABEL, Part::Control.name());
    let config = watcher::Config::default().labels(&selector);
    let mut changes = pin!(watcher(pods.clone(), config).default_backoff().applied_objects());
    let ready = tokio::time::timeout(deadline, async {
        loop {
            match changes.try_next().await {
                Ok(Some(pod)) if is_ready(&pod) => return pod.metadata.name.unwrap_or_default(),
                Ok(Some(_)) => {}
                // The watcher backs off and starts again by itself; the deadline bounds it.
                Ok(None) | Err(_) => tokio::task::yield_now().await,
            }
        }
    });
    match ready.await {
        Ok(name) => Ok(name),
        Err(_) => Err(ClusterError::ControlNotReady {
            role: cluster.role().clone(),
            deadline,
            state: describe(&pods, &selector).await,
        }),
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
}

/// What the pod is waiting for, in one line for people.
async fn describe(pods: &Api<Pod>, selector: &str) -> String {
    match pods.list(&ListParams::default().labels(selector)).await {
        Err(error) => format!("its pods cannot be listed ({error})"),
        Ok(list) => match list.items.first() {
            None => "no pod was created; see the events of its ReplicaSet".to_owned(),
            Some(pod) => state(pod),
        },
    }
}

fn state(pod: &Pod) -> String {
    let status = pod.status.clone().unwrap_or_default();
    let phase = status.phase.unwrap_or_else(|| "Unknown".to_owned());
    let container = status.container_statuses.unwrap_or_default().into_iter().next();
    let unscheduled = status.conditions.unwrap_or_default().into_iter().find(|condition| {
        condition.type_ == "PodScheduled" && condition.status == "False"
    });
    let detail = match (container.and_then(|container| container.state), unscheduled) {
        (Some(state), _) => container_state(&state),
        (None, Some(condition)) => condition.message.unwrap_or_default(),
        (None, None) => "no container has started".to_owned(),
    };
    format!("the pod is {phase}: {detail}")
}

fn container_state(state: &ContainerState) -> String {
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().unwrap_or("waiting");
        return format!("{reason} {}", waiting.message.as_deref().unwrap_or_default());
    }
    if let Some(ended) = &state.terminated {
        return format!("it ended with exit code {} {}", ended.exit_code, ended.reason.as_deref().unwrap_or_default());
    }
    "it runs, but its health check does not pass".to_owned()
}
