//! What a lab is made of: clusters, nodes, addresses and ranges. Pure.
//!
//! Everything follows from the letter of a role, so a cluster keeps its addresses whichever others run beside it.

mod request;

pub use request::LabRequest;

use super::error::LabError;
use crate::verify::Role;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::str::FromStr;

/// Port of each cluster's API server, on its first node's address.
pub const API_PORT: u16 = 6443;
/// Clusters a lab can have: roles `a` to `i`.
pub const MAX_CLUSTERS: u8 = 9;
/// Nodes a cluster can have.
pub const MAX_NODES: u8 = 5;
/// Addresses for LoadBalancer Services that each cluster has beside its node address.
const POOL_SIZE: u8 = 16;

/// The Gateway API implementation of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatewayKind {
    /// Traefik Proxy.
    Traefik,
    /// Envoy Gateway with Envoy.
    Envoy,
}

impl fmt::Display for GatewayKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Traefik => "traefik",
            Self::Envoy => "envoy",
        })
    }
}

impl FromStr for GatewayKind {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        match text {
            "traefik" => Ok(Self::Traefik),
            "envoy" => Ok(Self::Envoy),
            other => Err(LabError::UnknownGateway {
                name: other.to_owned(),
            }),
        }
    }
}

/// One cluster of the lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSpec {
    /// Its name, `a` to `i`.
    pub role: Role,
    /// The Gateway API implementation it gets.
    pub gateway: GatewayKind,
    /// Number of nodes; the first one carries the control plane and pods too.
    pub nodes: u8,
    /// The lab's subnet, which all nodes of all clusters share.
    pub subnet: Ipv4Net,
}

impl ClusterSpec {
    /// 1 for `a`, 2 for `b`, ...: what addresses and ranges are counted from.
    fn ordinal(&self) -> u8 {
        self.role.as_str().as_bytes()[0] - b'a' + 1
    }

    fn host(&self, last: u8) -> Ipv4Addr {
        let [a, b, c, _] = self.subnet.network().octets();
        Ipv4Addr::new(a, b, c, last)
    }

    fn range(&self, base: u8, third: u8, prefix: u8) -> Ipv4Net {
        Ipv4Net::new_assert(Ipv4Addr::new(10, base + self.ordinal(), third, 0), prefix)
    }

    /// The nodes, the control plane's first.
    pub fn nodes(&self) -> Vec<NodeSpec> {
        (1..=self.nodes)
            .map(|number| NodeSpec {
                name: format!("{}-{number}", self.role),
                number,
                address: self.host(number * 10 + self.ordinal()),
                pod_range: self.range(40, number - 1, 24),
            })
            .collect()
    }

    /// Address of the first node, where the API server is.
    pub fn address(&self) -> Ipv4Addr {
        self.host(10 + self.ordinal())
    }

    /// Where the API server listens.
    pub fn api(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.address(), API_PORT)
    }

    /// The range of all pods of the cluster.
    pub fn pod_range(&self) -> Ipv4Net {
        self.range(40, 0, 16)
    }

    /// The range of Service addresses (ClusterIPs).
    pub fn service_range(&self) -> Ipv4Net {
        self.range(50, 0, 16)
    }

    /// The ClusterIP of the `kubernetes` Service.
    pub fn api_service(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 50 + self.ordinal(), 0, 1)
    }

    /// The ClusterIP of the cluster's DNS.
    pub fn dns(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 50 + self.ordinal(), 0, 10)
    }

    /// The addresses LoadBalancer Services may get: the first node's, then the cluster's pool on the lab's subnet.
    pub fn load_balancer_addresses(&self) -> Vec<Ipv4Addr> {
        let first = 100 + (self.ordinal() - 1) * POOL_SIZE;
        std::iter::once(self.address())
            .chain((first..first + POOL_SIZE).map(|last| self.host(last)))
            .collect()
    }
}

/// One node of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// Its name everywhere: Kubernetes node, host name, link, cgroup, directory (`a-1`).
    pub name: String,
    /// 1 for the node with the control plane.
    pub number: u8,
    /// Its address on the lab's subnet.
    pub address: Ipv4Addr,
    /// The addresses of its pods.
    pub pod_range: Ipv4Net,
}

/// A whole lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabSpec {
    /// Prefix of the lab's link and cgroup names.
    pub name: String,
    /// The subnet of the bridge and of all nodes, a /24.
    pub subnet: Ipv4Net,
    /// The clusters.
    pub clusters: Vec<ClusterSpec>,
}

impl LabSpec {
    /// Prefix of link and cgroup names when nothing else is said.
    pub const DEFAULT_NAME: &str = "portproof";
    /// The subnet when nothing else is said.
    pub const DEFAULT_SUBNET: &str = "172.31.0.0/24";

    /// [`Self::DEFAULT_SUBNET`] as a network.
    pub const fn default_subnet() -> Ipv4Net {
        Ipv4Net::new_assert(Ipv4Addr::new(172, 31, 0, 0), 24)
    }

    /// Checks a request and fixes what it leaves open: `a` gets Traefik, every other cluster Envoy.
    ///
    /// # Errors
    /// The first thing about the request that no lab can be.
    pub fn new(request: &LabRequest) -> Result<Self, LabError> {
        request.check()?;
        let clusters = request.clusters.iter().map(|role| cluster(role, request));
        Ok(Self {
            name: request.name.clone(),
            subnet: request.subnet,
            clusters: clusters.collect(),
        })
    }

    /// The name of the bridge.
    pub fn bridge(&self) -> String {
        format!("{}0", self.name)
    }

    /// The bridge's own address: the nodes' default route.
    pub fn bridge_address(&self) -> Ipv4Addr {
        let [a, b, c, _] = self.subnet.network().octets();
        Ipv4Addr::new(a, b, c, 1)
    }

    /// The host's end of a node's link.
    pub fn link(&self, node: &NodeSpec) -> String {
        format!("{}-{}", self.name, node.name)
    }

    /// A node's cgroup, below the root of each hierarchy.
    pub fn cgroup(&self, node: &NodeSpec) -> String {
        self.link(node)
    }

    /// All nodes of all clusters.
    pub fn nodes(&self) -> Vec<NodeSpec> {
        self.clusters.iter().flat_map(ClusterSpec::nodes).collect()
    }

    /// The cluster of a role.
    pub fn cluster(&self, role: &Role) -> Option<&ClusterSpec> {
        self.clusters.iter().find(|cluster| &cluster.role == role)
    }
}

fn cluster(role: &Role, request: &LabRequest) -> ClusterSpec {
    let usual = if role.as_str() == "a" {
        GatewayKind::Traefik
    } else {
        GatewayKind::Envoy
    };
    let asked = request.gateways.iter().find(|(of, _)| of == role);
    ClusterSpec {
        role: role.clone(),
        gateway: asked.map_or(usual, |(_, kind)| *kind),
        nodes: request.nodes,
        subnet: request.subnet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn request(clusters: &[&str], nodes: u8) -> LabRequest {
        LabRequest {
            name: "portproof".to_owned(),
            subnet: LabSpec::DEFAULT_SUBNET.parse().unwrap(),
            clusters: clusters
                .iter()
                .map(|role| Role::new(role).unwrap())
                .collect(),
            gateways: Vec::new(),
            nodes,
        }
    }

    #[test]
    fn clusters_get_the_documented_addresses() {
        let spec = LabSpec::new(&request(&["a", "b"], 2)).unwrap();
        let b = &spec.clusters[1];
        assert_eq!(b.address().to_string(), "172.31.0.12");
        assert_eq!(b.nodes()[1].address.to_string(), "172.31.0.22");
        assert_eq!(b.nodes()[1].pod_range.to_string(), "10.42.1.0/24");
        assert_eq!(b.service_range().to_string(), "10.52.0.0/16");
        assert_eq!(b.dns().to_string(), "10.52.0.10");
        assert_eq!(spec.bridge_address().to_string(), "172.31.0.1");
    }

    #[test]
    fn no_two_addresses_of_the_largest_lab_are_the_same() {
        let roles = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        let spec = LabSpec::new(&request(&roles, MAX_NODES)).unwrap();
        let mut all: Vec<Ipv4Addr> = spec.nodes().iter().map(|node| node.address).collect();
        all.push(spec.bridge_address());
        for cluster in &spec.clusters {
            all.extend(cluster.load_balancer_addresses().into_iter().skip(1));
        }
        assert!(all.iter().all(|address| spec.subnet.contains(address)));
        assert!(all.iter().all(|address| address.octets()[3] < 255));
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn a_gets_traefik_and_others_envoy_unless_asked_otherwise() {
        let mut asked = request(&["a", "b"], 1);
        let usual = LabSpec::new(&asked).unwrap();
        assert_eq!(usual.clusters[0].gateway, GatewayKind::Traefik);
        assert_eq!(usual.clusters[1].gateway, GatewayKind::Envoy);
        asked.gateways = vec![(Role::new("a").unwrap(), GatewayKind::Envoy)];
        assert_eq!(
            LabSpec::new(&asked).unwrap().clusters[0].gateway,
            GatewayKind::Envoy
        );
    }

    #[test]
    fn a_gateway_for_a_cluster_that_is_not_there_is_refused() {
        let mut asked = request(&["a"], 1);
        asked.gateways = vec![(Role::new("b").unwrap(), GatewayKind::Envoy)];
        assert!(matches!(
            LabSpec::new(&asked),
            Err(LabError::UnknownRole { .. })
        ));
    }

    #[test]
    fn impossible_labs_are_refused() {
        for (clusters, nodes) in [
            (&["z"][..], 1),
            (&["ab"][..], 1),
            (&["a", "a"][..], 1),
            (&["a"][..], 0),
            (&[][..], 1),
        ] {
            assert!(
                LabSpec::new(&request(clusters, nodes)).is_err(),
                "{clusters:?} with {nodes} nodes"
            );
        }
        for subnet in ["172.31.0.0/16", "10.42.7.0/24", "172.31.0.5/24"] {
            let mut asked = request(&["a"], 1);
            asked.subnet = subnet.parse().unwrap();
            assert!(LabSpec::new(&asked).is_err(), "{subnet}");
        }
    }

    #[test]
    fn link_names_fit_the_kernel() {
        let mut asked = request(&["a"], MAX_NODES);
        asked.name = "tencharact".to_owned();
        let spec = LabSpec::new(&asked).unwrap();
        assert!(spec.nodes().iter().all(|node| spec.link(node).len() <= 15));
        asked.name = "elevenchars".to_owned();
        assert!(LabSpec::new(&asked).is_err());
    }
}
