//! What runs on a node: programs, arguments, configuration files and the order of starting.

mod containerd;
mod control_plane;
mod worker;

use super::error::LabError;
use super::files;
use super::node::config::{Component, Gate, NodeConfig, NodeNetwork};
use super::paths::{LabPaths, NodePaths};
use super::spec::{ClusterSpec, LabSpec, NodeSpec};
use std::path::{Path, PathBuf};

/// containerd's socket, inside the node.
pub(crate) const CONTAINERD_SOCKET: &str = "/run/containerd/containerd.sock";
/// Volume plugins, of which there are none: the usual directory would be made on the host.
const VOLUME_PLUGINS: &str = "/var/lib/kubelet/volume-plugins";

/// Programs a lab needs, by the names of their files.
pub(crate) const BINARIES: [&str; 17] = [
    "containerd",
    "containerd-shim-runc-v2",
    "containerd-shim-runsc-v1",
    "ctr",
    "etcd",
    "host-local",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-router",
    "kube-scheduler",
    "kubelet",
    "loopback",
    "portmap",
    "ptp",
    "runc",
    "runsc",
];

/// Everything the command lines of one node are made of.
pub(crate) struct NodePlan<'a> {
    pub(crate) lab: &'a LabSpec,
    pub(crate) cluster: &'a ClusterSpec,
    pub(crate) node: &'a NodeSpec,
    pub(crate) paths: &'a LabPaths,
    /// Directory of the component binaries.
    pub(crate) binaries: &'a Path,
    /// This program.
    pub(crate) program: &'a Path,
    /// The image of every pod's sandbox, by name.
    pub(crate) pause_image: &'a str,
    /// Whether the machine lets root lower an `oom_score_adj` (`CAP_SYS_RESOURCE`).
    pub(crate) may_lower_oom_score: bool,
}

impl NodePlan<'_> {
    fn files(&self) -> NodePaths {
        self.paths.node(self.node)
    }

    fn binary(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    fn pki(&self, name: &str) -> String {
        self.paths
            .pki(self.cluster)
            .join(name)
            .display()
            .to_string()
    }

    fn etc(&self, name: &str) -> PathBuf {
        self.files().etc().join(name)
    }

    fn write(&self, name: &str, content: &str) -> Result<(), LabError> {
        files::replace(&self.etc(name), files::PLAIN, content.as_bytes())
    }

    fn api_ready(&self) -> Gate {
        Gate::Https {
            url: format!("https://{}/readyz", self.cluster.api()),
            authority: self.paths.pki(self.cluster).join("ca.crt"),
        }
    }

    fn component(&self, name: &str, after: Vec<Gate>, args: Vec<String>) -> Component {
        Component {
            name: name.to_owned(),
            program: self.binary(name),
            args,
            after,
        }
    }

    /// Writes the node's configuration files and says what its init has to do.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) fn prepare(&self, cgroup_procs: Vec<PathBuf>) -> Result<NodeConfig, LabError> {
        let paths = self.files();
        for directory in [paths.logs(), paths.etc().join("cni"), paths.private()] {
            files::directory(&directory)?;
        }
        let mut components = vec![containerd::component(self)?];
        if self.node.number == 1 {
            components.extend(control_plane::components(self)?);
        }
        components.extend(worker::components(self)?);
        Ok(NodeConfig {
            name: self.node.name.clone(),
            directory: paths.root().to_owned(),
            cgroup: self.lab.cgroup(self.node),
            cgroup_procs,
            binaries: self.binaries.to_owned(),
            network: self.network(),
            components,
        })
    }

    fn network(&self) -> NodeNetwork {
        let others = self
            .cluster
            .nodes()
            .into_iter()
            .filter(|other| other != self.node);
        let extra = self.cluster.load_balancer_addresses().into_iter().skip(1);
        NodeNetwork {
            address: self.node.address,
            subnet: self.lab.subnet,
            router: self.lab.bridge_address(),
            extra_addresses: extra.filter(|_| self.node.number == 1).collect(),
            pod_range: self.cluster.pod_range(),
            service_range: self.cluster.service_range(),
            routes: others
                .map(|other| (other.pod_range, other.address))
                .collect(),
        }
    }
}

/// Turns `name=value` pairs into `--name=value` arguments.
fn flags<const N: usize>(pairs: [(&str, String); N]) -> Vec<String> {
    pairs
        .into_iter()
        .map(|(name, value)| format!("--{name}={value}"))
        .collect()
}

#[cfg(test)]
mod tests;
