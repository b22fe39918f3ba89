//! Follows the names of the objects that backends stand on: Services and ConfigMaps, their metadata only.

use super::super::inventory::{Kind, Known};
use super::super::registry::Registry;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::core::{NamespaceResourceScope, PartialObjectMeta};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource};
use std::collections::BTreeSet;
use std::fmt::Debug;

pub(super) async fn follow_services(client: &Client, namespace: &str, registry: &Registry) {
    follow::<Service>(client, namespace, registry, Kind::Service).await;
}

pub(super) async fn follow_config_maps(client: &Client, namespace: &str, registry: &Registry) {
    follow::<ConfigMap>(client, namespace, registry, Kind::ConfigMap).await;
}

/// Tells the registry every name there is, anew with each change, for as long as it is polled.
///
/// As long as there never was a complete list, a failure says that nothing is known: then no tool is said to lack
/// its backend. After one, a failed watch changes nothing until the next list.
async fn follow<K>(client: &Client, namespace: &str, registry: &Registry, kind: Kind)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    K: Clone + Debug + Send + Sync + 'static,
{
    let api: Api<PartialObjectMeta<K>> = Api::namespaced(client.clone(), namespace);
    let watched = watcher::watcher(api, watcher::Config::default());
    let mut events = watched.default_backoff().boxed();
    let mut names = Names::default();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if let Some(listed) = names.take(event) {
                    registry.learn(kind, Known::Listed(listed.clone()));
                }
            }
            Err(error) => {
                tracing::warn!(%error, %kind, "what backends stand on cannot be watched, trying again");
                if names.complete.is_none() {
                    registry.learn(kind, Known::Withheld);
                }
            }
        }
    }
}

/// The names as the events tell them.
#[derive(Debug, Default)]
struct Names {
    complete: Option<BTreeSet<String>>,
    listing: BTreeSet<String>,
}

impl Names {
    /// Takes one event in; gives every name when a complete list is at hand.
    fn take<K>(&mut self, event: Event<PartialObjectMeta<K>>) -> Option<&BTreeSet<String>> {
        match event {
            Event::Init => {
                self.listing.clear();
                return None;
            }
            Event::InitApply(object) => {
                self.listing.extend(object.metadata.name);
                return None;
            }
            Event::InitDone => self.complete = Some(std::mem::take(&mut self.listing)),
            Event::Apply(object) => self.complete.as_mut()?.extend(object.metadata.name),
            Event::Delete(object) => {
                let name = object.metadata.name.unwrap_or_default();
                self.complete.as_mut()?.remove(&name);
            }
        }
        self.complete.as_ref()
    }
}
