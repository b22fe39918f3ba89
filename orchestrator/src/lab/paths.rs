//! Where a lab keeps its files. All of them are below one directory, so that one removal removes them.

use super::spec::{ClusterSpec, NodeSpec};
use crate::verify::Role;
use std::path::{Path, PathBuf};

/// Environment variable that names another state directory.
pub const DIRECTORY_VARIABLE: &str = "PORTPROOF_LAB_DIR";
/// The state directory when nothing else is said.
pub const DEFAULT_DIRECTORY: &str = "/var/lib/portproof-lab";

/// The state directory of a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabPaths {
    root: PathBuf,
}

impl LabPaths {
    /// Files below `root`, which need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory from the environment, or the usual one.
    pub fn from_environment() -> Self {
        Self::new(std::env::var_os(DIRECTORY_VARIABLE).unwrap_or_else(|| DEFAULT_DIRECTORY.into()))
    }

    /// The state directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the lab is and what was started.
    pub fn state(&self) -> PathBuf {
        self.root.join("lab.json")
    }

    /// Held locked by the command that works on the lab.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The administrator's kubeconfig of a cluster, mode 0600.
    pub fn kubeconfig(&self, role: &Role) -> PathBuf {
        self.cluster(role).join("kubeconfig")
    }

    /// A cluster's directory.
    pub fn cluster(&self, role: &Role) -> PathBuf {
        self.root.join("clusters").join(role.as_str())
    }

    /// When a cluster was last seen to work.
    pub fn proof(&self, role: &Role) -> PathBuf {
        self.cluster(role).join("proof.json")
    }

    /// A cluster's keys and certificates.
    pub fn pki(&self, cluster: &ClusterSpec) -> PathBuf {
        self.cluster(&cluster.role).join("pki")
    }

    /// A cluster's API audit log.
    pub fn audit_log(&self, role: &Role) -> PathBuf {
        self.cluster(role).join("audit.log")
    }

    /// All nodes' directories.
    pub fn nodes(&self) -> PathBuf {
        self.root.join("nodes")
    }

    /// A node's files.
    pub fn node(&self, node: &NodeSpec) -> NodePaths {
        NodePaths::new(self.nodes().join(&node.name))
    }
}

/// The directory of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePaths {
    root: PathBuf,
}

impl NodePaths {
    /// Files below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The node's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the init is told.
    pub fn config(&self) -> PathBuf {
        self.root.join("node.json")
    }

    /// Who the init is, written by itself.
    pub fn identity(&self) -> PathBuf {
        self.root.join("init.json")
    }

    /// How the components are, written by the init.
    pub fn status(&self) -> PathBuf {
        self.root.join("status.json")
    }

    /// The directory of all logs of the node.
    pub fn logs(&self) -> PathBuf {
        self.root.join("log")
    }

    /// A component's log.
    pub fn log(&self, component: &str) -> PathBuf {
        self.logs().join(format!("{component}.log"))
    }

    /// What the node sees as `/var/log`.
    pub(crate) fn var_log(&self) -> PathBuf {
        self.private().join("var-log")
    }

    /// Logs of the node's pods.
    pub fn pod_logs(&self) -> PathBuf {
        self.var_log().join("pods")
    }

    /// Component configuration files.
    pub fn etc(&self) -> PathBuf {
        self.root.join("etc")
    }

    /// What the node sees instead of directories of the host.
    pub fn private(&self) -> PathBuf {
        self.root.join("private")
    }

    /// The database of the control plane.
    pub fn etcd(&self) -> PathBuf {
        self.root.join("etcd")
    }
}
