//! Why the control agent's pod is not ready, in words: pod, container, warnings of the cluster, last lines of its log.

use super::ready::selector;
use crate::cluster::{Cluster, ClusterError};
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Event, Pod, PodStatus};
use kube::Api;
use kube::api::{ListParams, LogParams};

const LOG_LINES: i64 = 5;
const WARNINGS: usize = 3;
/// Reasons of a waiting container that time does not mend.
const HOPELESS: [&str; 3] = [
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
];

/// What can be expected of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    /// The pod of this name is ready.
    Ready(String),
    /// It may become ready.
    Waiting,
    /// It will not become ready without somebody's help.
    Hopeless,
}

pub(super) fn outlook(pod: &Pod) -> Outlook {
    let status = pod.status.clone().unwrap_or_default();
    let conditions = status.conditions.iter().flatten();
    let mut ready = conditions.filter(|it| it.type_ == "Ready" && it.status == "True");
    let leaving = pod.metadata.deletion_timestamp.is_some();
    match (&pod.metadata.name, ready.next()) {
        (Some(name), Some(_)) if !leaving => Outlook::Ready(name.clone()),
        _ if waits_for(&status).is_some_and(|reason| HOPELESS.contains(&reason)) => {
            Outlook::Hopeless
        }
        _ => Outlook::Waiting,
    }
}

fn waits_for(status: &PodStatus) -> Option<&str> {
    let state = container(status)?.state.as_ref()?;
    state.waiting.as_ref()?.reason.as_deref()
}

fn container(status: &PodStatus) -> Option<&ContainerStatus> {
    status.container_statuses.as_ref()?.first()
}

/// Everything the cluster can tell, most telling first. A question that stays unanswered is left out: this already
/// explains a failure.
pub(super) async fn of_control(cluster: &Cluster, namespace: &str) -> Vec<String> {
    let pods: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    let params = ListParams::default().labels(&selector());
    let listed = cluster
        .call("list the control pods", pods.list(&params))
        .await;
    let mut said = match &listed {
        Err(error) => vec![format!("its pods cannot be listed ({error})")],
        Ok(pods) => vec![pods.items.first().map_or_else(no_pod, state)],
    };
    said.extend(warnings(cluster, namespace).await.unwrap_or_default());
    if let Some(pod) = listed.ok().and_then(|pods| pods.items.into_iter().next()) {
        said.extend(last_words(cluster, &pods, &pod).await);
    }
    said
}

fn no_pod() -> String {
    "no pod was created".to_owned()
}

fn state(pod: &Pod) -> String {
    let status = pod.status.clone().unwrap_or_default();
    let unscheduled = status
        .conditions
        .iter()
        .flatten()
        .find(|it| it.type_ == "PodScheduled" && it.status == "False");
    let detail = match (container(&status), unscheduled) {
        (Some(container), _) => container_detail(container),
        (None, Some(condition)) => condition.message.clone().unwrap_or_default(),
        (None, None) => "no container has started".to_owned(),
    };
    let phase = status.phase.as_deref().unwrap_or("Unknown");
    format!("the pod is {phase}: {detail}")
}

fn container_detail(container: &ContainerStatus) -> String {
    let now = container.state.as_ref().and_then(in_words);
    let before = container.last_state.as_ref().and_then(in_words);
    let now = now.unwrap_or_else(|| "it runs, but its health check does not pass".to_owned());
    match before {
        Some(before) => format!("{now}, and before that {before}"),
        None => now,
    }
}

fn in_words(state: &ContainerState) -> Option<String> {
    if let Some(waiting) = &state.waiting {
        return Some(phrase(
            waiting.reason.as_deref().unwrap_or("waiting"),
            waiting.message.as_deref(),
        ));
    }
    let ended = state.terminated.as_ref()?;
    let reason = ended.reason.as_deref().unwrap_or("it ended");
    let code = format!("{reason} with exit code {}", ended.exit_code);
    Some(phrase(&code, ended.message.as_deref()))
}

fn phrase(reason: &str, message: Option<&str>) -> String {
    match message.map(str::trim) {
        None | Some("") => reason.to_owned(),
        Some(message) => format!("{reason} ({message})"),
    }
}

/// The latest warnings of the namespace: why a ReplicaSet could create no pod stands only there.
async fn warnings(cluster: &Cluster, namespace: &str) -> Result<Vec<String>, ClusterError> {
    let events: Api<Event> = Api::namespaced(cluster.client(), namespace);
    let params = ListParams::default().fields("type=Warning");
    let listed = cluster
        .call("list the warnings", events.list(&params))
        .await?;
    Ok(latest(listed.items))
}

fn latest(mut events: Vec<Event>) -> Vec<String> {
    events.sort_by_key(|event| event.last_timestamp.clone().map(|time| time.0));
    events.reverse();
    let mut said: Vec<String> = Vec::new();
    for event in events {
        let warning = warning(event);
        if said.len() < WARNINGS && !said.contains(&warning) {
            said.push(warning);
        }
    }
    said
}

fn warning(event: Event) -> String {
    let about = event.involved_object;
    let kind = about.kind.unwrap_or_default();
    let name = about.name.unwrap_or_default();
    let reason = event.reason.unwrap_or_default();
    let message = event.message.unwrap_or_default();
    format!("{kind} {name}: {}", phrase(&reason, Some(&message)))
}

/// The end of the log of the container, or of the one before it when it has just been restarted.
async fn last_words(cluster: &Cluster, pods: &Api<Pod>, pod: &Pod) -> Option<String> {
    let name = pod.metadata.name.as_deref()?;
    let status = pod.status.as_ref()?;
    let params = LogParams {
        tail_lines: Some(LOG_LINES),
        previous: container(status)?.restart_count > 0 && waits_for(status).is_some(),
        ..LogParams::default()
    };
    let log = cluster
        .call("read the log of the control pod", pods.logs(name, &params))
        .await
        .ok()?;
    let lines: Vec<&str> = log
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    (!lines.is_empty()).then(|| format!("its log ends with: {}", lines.join(" | ")))
}

#[cfg(test)]
mod tests;
