//! Feeds the registry from the API server and writes back what becomes of each object.

use super::registry::Registry;
use super::status;
use futures::StreamExt as _;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt as _};
use portproof_proto::tool::Tool;
use std::sync::Arc;
use std::time::Duration;

/// Pause before a failed watch is tried again. Steady, because what fails most is a CRD that is about to be created,
/// and a growing pause would keep its first tools waiting.
const PAUSE: Duration = Duration::from_millis(500);

struct Steady;

impl Iterator for Steady {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(PAUSE)
    }
}

impl Backoff for Steady {
    fn reset(&mut self) {}
}

/// Watches the `Tool` objects of `namespace` for as long as it is polled; errors are retried after [`PAUSE`].
pub(super) async fn run(client: Client, namespace: String, registry: Arc<Registry>) {
    let api: Api<Tool> = Api::namespaced(client, &namespace);
    let watched = watcher::watcher(api.clone(), watcher::Config::default());
    let mut events = watched.backoff(Steady).boxed();
    let mut listed = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if take(event, &registry, &mut listed) {
                    report(&api, &registry).await;
                }
            }
            Err(error) if is_unknown_kind(&error) => registry.replace(Vec::new()),
            Err(error) => {
                tracing::warn!(%error, "the Tool objects cannot be watched, trying again");
            }
        }
    }
}

/// Whether the API server says that there is no such kind: then there are no such objects either.
fn is_unknown_kind(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status)) => status.code == 404,
        _ => false,
    }
}

/// Takes one event in; says whether the registry changed. A new list replaces the old one only when it is complete.
fn take(event: Event<Tool>, registry: &Registry, listed: &mut Vec<Tool>) -> bool {
    match event {
        Event::Init => {
            listed.clear();
            return false;
        }
        Event::InitApply(object) => {
            listed.push(object);
            return false;
        }
        Event::InitDone => registry.replace(std::mem::take(listed)),
        Event::Apply(object) => registry.apply(object),
        Event::Delete(object) => registry.remove(&object),
    }
    true
}

/// Writes the status of every object whose status is not what it should be.
async fn report(api: &Api<Tool>, registry: &Registry) {
    for (object, verdict) in registry.verdicts() {
        let Some(wanted) = status::wanted(&object, &verdict, Timestamp::now()) else {
            continue;
        };
        if let Err(error) = status::write(api, &object, &wanted).await {
            tracing::warn!(%error, tool = object.name_any(), "the status cannot be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tool(name: &str) -> Tool {
        let spec = json!({"name": name, "description": "d", "inputSchema": {"type": "object"},
            "backend": {"type": "Http", "http": {"serviceName": "s", "port": 80, "path": "/"}}});
        Tool::new(name, serde_json::from_value(spec).unwrap())
    }

    fn names(registry: &Registry) -> Vec<String> {
        registry.served().into_keys().collect()
    }

    #[test]
    fn a_new_list_counts_only_when_it_is_complete() {
        let (registry, mut listed) = (Registry::default(), Vec::new());
        take(Event::Apply(tool("old")), &registry, &mut listed);
        assert!(!take(Event::Init, &registry, &mut listed));
        assert!(!take(Event::InitApply(tool("new")), &registry, &mut listed));
        assert_eq!(
            (names(&registry), registry.is_synced()),
            (vec!["old".to_owned()], false)
        );
        assert!(take(Event::InitDone, &registry, &mut listed));
        assert_eq!(
            (names(&registry), registry.is_synced()),
            (vec!["new".to_owned()], true)
        );
    }

    #[test]
    fn a_cluster_without_the_kind_has_no_tools_and_any_other_failure_says_nothing() {
        let status = |code| Box::new(kube::core::Status::failure("", "").with_code(code));
        let failed = |code| watcher::Error::InitialListFailed(kube::Error::Api(status(code)));
        assert!(is_unknown_kind(&failed(404)));
        assert!(!is_unknown_kind(&failed(403)));
        assert!(!is_unknown_kind(&watcher::Error::WatchError(status(404))));
    }

    #[test]
    fn a_deleted_object_is_gone() {
        let (registry, mut listed) = (Registry::default(), Vec::new());
        take(Event::Apply(tool("a")), &registry, &mut listed);
        take(Event::Delete(tool("a")), &registry, &mut listed);
        assert!(names(&registry).is_empty());
    }
}
