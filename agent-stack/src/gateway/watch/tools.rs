//! Follows the `Tool` objects of a namespace.

use super::super::registry::Registry;
use super::super::tool::Candidate;
use crate::telemetry::chain;
use futures::StreamExt as _;
use kube::api::DynamicObject;
use kube::core::ApiResource;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use portproof_proto::tool::Tool;
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

/// The `Tool` objects of `namespace`, untyped: what cannot be read as a `Tool` is told in its status.
pub(super) fn api(client: &Client, namespace: &str) -> Api<DynamicObject> {
    let kind = ApiResource::erase::<Tool>(&());
    Api::namespaced_with(client.clone(), namespace, &kind)
}

/// Feeds the registry for as long as it is polled; errors are retried after [`PAUSE`].
pub(super) async fn follow(client: &Client, namespace: &str, registry: &Registry) {
    let watched = watcher::watcher(api(client, namespace), watcher::Config::default());
    let mut events = watched.backoff(Steady).boxed();
    let mut listed = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => take(event, registry, &mut listed),
            Err(error) if is_unknown_kind(&error) => registry.replace(Vec::new()),
            Err(error) => {
                tracing::warn!(
                    error = chain(&error),
                    "the Tool objects cannot be watched, trying again"
                );
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

/// Takes one event in. A new list replaces the old one only when it is complete.
fn take(event: Event<DynamicObject>, registry: &Registry, listed: &mut Vec<Candidate>) {
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(object) => listed.push(object.into()),
        Event::InitDone => registry.replace_by(std::mem::take(listed).into_iter()),
        Event::Apply(object) => registry.take(object.into()),
        Event::Delete(object) => {
            registry.forget(object.metadata.name.as_deref().unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tool(name: &str) -> DynamicObject {
        let spec = json!({"name": name, "description": "d", "inputSchema": {"type": "object"},
            "backend": {"type": "Http", "http": {"serviceName": "s", "port": 80, "path": "/"}}});
        DynamicObject::new(name, &ApiResource::erase::<Tool>(&())).data(json!({"spec": spec}))
    }

    fn names(registry: &Registry) -> Vec<String> {
        registry.served().keys().cloned().collect()
    }

    #[test]
    fn a_new_list_counts_only_when_it_is_complete() {
        let (registry, mut listed) = (Registry::default(), Vec::new());
        take(Event::Apply(tool("old")), &registry, &mut listed);
        take(Event::Init, &registry, &mut listed);
        take(Event::InitApply(tool("new")), &registry, &mut listed);
        assert_eq!(
            (names(&registry), registry.is_synced()),
            (vec!["old".to_owned()], false)
        );
        take(Event::InitDone, &registry, &mut listed);
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
