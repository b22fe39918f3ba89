//! Gives LoadBalancer Services an address: the part of a cloud provider that a lab needs.
//!
//! kube-proxy answers on whatever address a Service's status names, so it is enough to name one that the node has.

use super::api;
use super::error::LabError;
use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Service;
use kube::api::{ListParams, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;

/// What a Service occupies on an address: port and protocol.
type Port = (i32, String);

/// Gives addresses to the LoadBalancer Services of a cluster until the process is ended. A Service gets the first of
/// `addresses` on which none of its ports is taken.
///
/// # Errors
/// The kubeconfig cannot be used, or the watch ends for good.
pub async fn give_addresses(kubeconfig: &Path, addresses: &[Ipv4Addr]) -> Result<(), LabError> {
    let client = api::client(kubeconfig).await?;
    let services = Api::<Service>::all(client.clone());
    let changes = watcher(services, watcher::Config::default())
        .default_backoff()
        .touched_objects();
    let ended = changes
        .try_for_each(|service| {
            let client = client.clone();
            async move {
                if wants_address(&service) {
                    give(&client, &service, addresses).await;
                }
                Ok(())
            }
        })
        .await;
    ended.map_err(|error| {
        LabError::io("cannot watch Services by", kubeconfig)(std::io::Error::other(error))
    })
}

fn wants_address(service: &Service) -> bool {
    let spec = service.spec.as_ref();
    spec.and_then(|spec| spec.type_.as_deref()) == Some("LoadBalancer")
        && service.metadata.deletion_timestamp.is_none()
        && address(service).is_none()
}

fn address(service: &Service) -> Option<Ipv4Addr> {
    let balancer = service.status.as_ref()?.load_balancer.as_ref()?;
    balancer
        .ingress
        .as_ref()?
        .first()?
        .ip
        .as_ref()?
        .parse()
        .ok()
}

fn ports(service: &Service) -> BTreeSet<Port> {
    let ports = service
        .spec
        .iter()
        .filter_map(|spec| spec.ports.as_ref())
        .flatten();
    ports
        .map(|port| {
            (
                port.port,
                port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
            )
        })
        .collect()
}

async fn give(client: &Client, service: &Service, addresses: &[Ipv4Addr]) {
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let outcome = try_give(client, service, addresses).await;
    match outcome {
        Ok(Some(address)) => tracing::info!(namespace, name, %address, "address given"),
        Ok(None) => tracing::warn!(namespace, name, "every address has one of its ports taken"),
        Err(error) => tracing::warn!(namespace, name, %error, "address not given"),
    }
}

async fn try_give(
    client: &Client,
    service: &Service,
    addresses: &[Ipv4Addr],
) -> Result<Option<Ipv4Addr>, kube::Error> {
    let all = Api::<Service>::all(client.clone())
        .list(&ListParams::default())
        .await?;
    let Some(address) = choose(service, &all.items, addresses) else {
        return Ok(None);
    };
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}});
    let namespace = service.namespace().unwrap_or_default();
    Api::<Service>::namespaced(client.clone(), &namespace)
        .patch_status(
            &service.name_any(),
            &PatchParams::default(),
            &Patch::Merge(&status),
        )
        .await?;
    Ok(Some(address))
}

fn choose(service: &Service, all: &[Service], addresses: &[Ipv4Addr]) -> Option<Ipv4Addr> {
    let wanted = ports(service);
    let taken = |candidate: &Ipv4Addr| {
        let there = all
            .iter()
            .filter(|other| address(other).as_ref() == Some(candidate));
        there.flat_map(ports).any(|port| wanted.contains(&port))
    };
    addresses
        .iter()
        .find(|candidate| !taken(candidate))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(kind: &str, port: i32, given: Option<&str>) -> Service {
        let ingress: Vec<_> = given.iter().map(|ip| json!({"ip": ip})).collect();
        serde_json::from_value(json!({
            "metadata": {"name": "s", "namespace": "n"},
            "spec": {"type": kind, "ports": [{"port": port}]},
            "status": {"loadBalancer": {"ingress": ingress}},
        }))
        .unwrap()
    }

    fn addresses() -> [Ipv4Addr; 2] {
        [
            "172.31.0.11".parse().unwrap(),
            "172.31.0.100".parse().unwrap(),
        ]
    }

    #[test]
    fn only_load_balancers_without_an_address_want_one() {
        assert!(wants_address(&service("LoadBalancer", 80, None)));
        assert!(!wants_address(&service("ClusterIP", 80, None)));
        assert!(!wants_address(&service(
            "LoadBalancer",
            80,
            Some("172.31.0.11")
        )));
    }

    #[test]
    fn two_services_on_one_port_get_different_addresses() {
        let first = service("LoadBalancer", 80, Some("172.31.0.11"));
        let second = service("LoadBalancer", 80, None);
        let other_port = service("LoadBalancer", 443, None);
        let all = [first];
        assert_eq!(choose(&second, &all, &addresses()), Some(addresses()[1]));
        assert_eq!(
            choose(&other_port, &all, &addresses()),
            Some(addresses()[0])
        );
    }

    #[test]
    fn no_address_is_given_when_the_port_is_taken_on_all() {
        let all =
            addresses().map(|address| service("LoadBalancer", 80, Some(&address.to_string())));
        assert_eq!(
            choose(&service("LoadBalancer", 80, None), &all, &addresses()),
            None
        );
    }
}
