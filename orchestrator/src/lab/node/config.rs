//! What a node's init is told.

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Everything a node's init needs; it reads nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeConfig {
    /// The node's name, which is its host name.
    pub(crate) name: String,
    /// The node's directory.
    pub(crate) directory: PathBuf,
    /// Name of the node's cgroup, below the root of each hierarchy.
    pub(crate) cgroup: String,
    /// Files that take a process into the node's cgroups.
    pub(crate) cgroup_procs: Vec<PathBuf>,
    /// Directory of the component binaries.
    pub(crate) binaries: PathBuf,
    /// The node's network.
    pub(crate) network: NodeNetwork,
    /// What runs on the node, in order of starting.
    pub(crate) components: Vec<Component>,
}

/// A node's network, as its init sets it up inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeNetwork {
    /// The node's address.
    pub(crate) address: Ipv4Addr,
    /// The lab's subnet.
    pub(crate) subnet: Ipv4Net,
    /// The bridge's address, the default route.
    pub(crate) router: Ipv4Addr,
    /// Further addresses the node answers to.
    pub(crate) extra_addresses: Vec<Ipv4Addr>,
    /// The cluster's pods; the only other destination on the link.
    pub(crate) pod_range: Ipv4Net,
    /// The cluster's Services.
    pub(crate) service_range: Ipv4Net,
    /// Pod ranges of the cluster's other nodes and these nodes' addresses.
    pub(crate) routes: Vec<(Ipv4Net, Ipv4Addr)>,
}

/// A program the init keeps running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Component {
    /// Its name, also of its log.
    pub(crate) name: String,
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<String>,
    /// What must answer before it is started.
    pub(crate) after: Vec<Gate>,
}

/// Something that answers once another component is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Gate {
    /// A TCP address takes connections.
    Tcp(SocketAddr),
    /// A Unix socket takes connections.
    Socket(PathBuf),
    /// A URL answers 200, its server checked by the authority in a PEM file.
    Https {
        /// The URL.
        url: String,
        /// The PEM file.
        authority: PathBuf,
    },
    /// A cluster knows a node.
    Registered {
        /// A kubeconfig that may read the node.
        kubeconfig: PathBuf,
        /// The node's name.
        node: String,
    },
}
