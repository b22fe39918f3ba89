//! Waits by looking again and again, while somebody watches that what is waited for can still come.

use super::error::LabError;
use super::files;
use super::node::status::{ComponentStatus, NodeStatus};
use super::paths::NodePaths;
use super::process::ProcessIdentity;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often something is looked at.
const PERIOD: Duration = Duration::from_millis(30);
/// How often the nodes are looked at meanwhile.
const WATCH_PERIOD: Duration = Duration::from_millis(100);
/// A component that ended this often does not stay up.
const TOO_MANY_RESTARTS: u32 = 3;
/// Lines of a log that an error shows.
pub(crate) const TAIL: usize = 8;

/// Asks `unready` until it has nothing to say.
///
/// # Errors
/// [`LabError::NotReady`] with what it said last.
pub(crate) async fn until_ready(
    what: &str,
    limit: Duration,
    log: &Path,
    mut unready: impl AsyncFnMut() -> Option<String>,
) -> Result<(), LabError> {
    let end = Instant::now() + limit;
    loop {
        let answer = tokio::time::timeout_at(end.into(), unready()).await;
        let last = match answer {
            Ok(None) => return Ok(()),
            Ok(Some(last)) => last,
            Err(_) => "it does not answer".to_owned(),
        };
        if Instant::now() >= end {
            return Err(LabError::NotReady {
                what: what.to_owned(),
                waited: limit,
                last,
                log: log.to_owned(),
            });
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Returns only when the node is lost: its init has ended, or a component does not stay up.
pub(crate) async fn until_lost(node: &str, init: &ProcessIdentity, paths: &NodePaths) -> LabError {
    loop {
        if !init.is_alive() {
            return node_died(node, paths);
        }
        if let Some(component) = failing(paths) {
            return component_died(node, &component, paths);
        }
        tokio::time::sleep(WATCH_PERIOD).await;
    }
}

fn failing(paths: &NodePaths) -> Option<ComponentStatus> {
    let status = NodeStatus::read(paths).ok().flatten()?;
    let mut components = status.components.into_iter();
    components.find(|component| component.restarts >= TOO_MANY_RESTARTS)
}

/// The error for a node whose init has ended.
pub(crate) fn node_died(node: &str, paths: &NodePaths) -> LabError {
    let log = paths.log("init");
    LabError::NodeDied {
        node: node.to_owned(),
        tail: files::tail(&log, TAIL),
        log,
    }
}

fn component_died(node: &str, component: &ComponentStatus, paths: &NodePaths) -> LabError {
    let log = paths.log(&component.name);
    LabError::ComponentDied {
        node: node.to_owned(),
        component: component.name.clone(),
        exit: component.last_exit.clone().unwrap_or_default(),
        tail: files::tail(&log, TAIL),
        log,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::node::status::ComponentState;

    #[tokio::test]
    async fn what_was_seen_last_is_told_when_time_is_up() {
        let limit = Duration::from_millis(1);
        let error = until_ready("the node", limit, Path::new("/log"), async || {
            Some("it is not Ready".to_owned())
        })
        .await
        .unwrap_err();
        assert!(error.to_string().contains("it is not Ready"), "{error}");
    }

    #[tokio::test]
    async fn a_component_that_keeps_ending_is_an_error_with_its_last_words() {
        let dir = tempfile::tempdir().unwrap();
        let paths = NodePaths::new(dir.path());
        files::directory(&paths.logs()).unwrap();
        std::fs::write(paths.log("etcd"), "cannot bind\n").unwrap();
        let status = NodeStatus {
            components: vec![ComponentStatus {
                name: "etcd".to_owned(),
                state: ComponentState::Restarting,
                pid: None,
                started: None,
                restarts: TOO_MANY_RESTARTS,
                last_exit: Some("exit status 1".to_owned()),
            }],
        };
        files::replace_json(&paths.status(), &status).unwrap();
        let me = ProcessIdentity::of_this_process().unwrap();
        let error = until_lost("a-1", &me, &paths).await.to_string();
        for part in ["etcd", "a-1", "exit status 1", "cannot bind", "etcd.log"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
