//! Waiting for the control agent's pod: by watch, to a deadline, and no longer than there is hope.

use super::diagnosis::{self, Outlook};
use crate::cluster::{Cluster, ClusterError};
use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use portproof_proto::names::{self, Part};
use std::pin::pin;
use std::time::Duration;

/// Waits until the pod of the control agent is ready; gives back its name.
pub(super) async fn control_pod(
    cluster: &Cluster,
    namespace: &str,
    deadline: Duration,
) -> Result<String, ClusterError> {
    let mut trouble = None;
    let waited = tokio::time::timeout(deadline, watch(cluster, namespace, &mut trouble)).await;
    let reason = match waited {
        Ok(Outlook::Ready(name)) => return Ok(name),
        Ok(Outlook::Hopeless) => "and will not be".to_owned(),
        Ok(Outlook::Waiting) | Err(_) => format!("after {} s", deadline.as_secs()),
    };
    let mut state = diagnosis::of_control(cluster, namespace).await;
    state.extend(trouble.map(|error| format!("the watch failed: {error}")));
    Err(ClusterError::ControlNotReady {
        role: cluster.role().clone(),
        reason,
        state: state.join("; "),
    })
}

/// Follows the pods until one is ready or none can become so. The watcher backs off and begins again by itself after
/// trouble, which is kept for the case that it never ends.
async fn watch(
    cluster: &Cluster,
    namespace: &str,
    trouble: &mut Option<watcher::Error>,
) -> Outlook {
    let pods: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    let config = watcher::Config::default().labels(&selector());
    let mut changes = pin!(watcher(pods, config).default_backoff());
    loop {
        match changes.try_next().await {
            Ok(Some(Event::Apply(pod) | Event::InitApply(pod))) => {
                *trouble = None;
                match diagnosis::outlook(&pod) {
                    Outlook::Waiting => {}
                    decided => return decided,
                }
            }
            Ok(Some(_)) => {}
            Ok(None) => return Outlook::Waiting,
            Err(error) => *trouble = Some(error),
        }
    }
}

/// Selects the pods of the control agent.
pub(super) fn selector() -> String {
    format!("{}={}", names::PART_LABEL, Part::Control.name())
}
