//! What can go wrong with a lab; what to do about it and the exit code that says so stand beside it.

mod hint;

use super::addons::AddonError;
use super::spec::{MAX_CLUSTERS, MAX_NODES};
use crate::verify::Role;
use ipnet::Ipv4Net;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A lab operation failed.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The lab makes namespaces, mounts and links.
    #[error("the lab needs root: it makes namespaces, mounts and network links")]
    NotRoot,
    /// The kernel cannot do something a node needs.
    #[error("the kernel lacks what a node needs: {}", features.join(", "))]
    KernelFeatures {
        /// What is missing, by name.
        features: Vec<String>,
    },
    /// Programs of the operating system are not installed.
    #[error("programs the nodes need are not installed: {}", tools.join(", "))]
    MissingTools {
        /// Their names.
        tools: Vec<String>,
        /// The Debian packages that have them.
        packages: Vec<String>,
    },
    /// Component binaries are not where they should be.
    #[error("component binaries are missing in {}: {}", directory.display(), names.join(", "))]
    MissingBinaries {
        /// Where they were looked for.
        directory: PathBuf,
        /// Their names.
        names: Vec<String>,
    },
    /// An image file is not there.
    #[error("there is no image file {}", path.display())]
    MissingImage {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A network link of the lab's name belongs to someone else.
    #[error("the network link `{name}` exists and is not this lab's")]
    LinkTaken {
        /// The link.
        name: String,
    },
    /// Another link of the machine uses addresses of the lab's subnet.
    #[error("the subnet {subnet} overlaps with {taken} on `{link}`")]
    SubnetTaken {
        /// The lab's subnet.
        subnet: Ipv4Net,
        /// What overlaps.
        taken: String,
        /// The link that has it.
        link: String,
    },
    /// The state directory holds something that is not a lab.
    #[error("{} exists and is not a lab's directory", path.display())]
    PathTaken {
        /// The directory.
        path: PathBuf,
    },
    /// A cgroup of the lab's name belongs to someone else.
    #[error("the cgroup {} exists and is not this lab's", path.display())]
    CgroupTaken {
        /// The cgroup's directory.
        path: PathBuf,
    },
    /// The disk is too full.
    #[error("{} has {free_mib} MiB free, the lab needs {needed_mib} MiB", path.display())]
    DiskFull {
        /// A path on the disk.
        path: PathBuf,
        /// What the lab needs.
        needed_mib: u64,
        /// What is there.
        free_mib: u64,
    },
    /// The kernel gives no more inotify instances; kubelet would end for want of one.
    #[error("the nodes need {needed} inotify instances, {free} of {limit} are free")]
    Inotify {
        /// What the nodes need.
        needed: usize,
        /// What is free.
        free: usize,
        /// `fs.inotify.max_user_instances`.
        limit: usize,
    },
    /// Another `portproof lab` works on this lab.
    #[error("another `portproof lab` command is working on {}", path.display())]
    Busy {
        /// The state directory.
        path: PathBuf,
    },
    /// The lab runs, but not as asked.
    #[error("cluster `{role}` is already running with {running}, asked was {asked}")]
    SpecDiffers {
        /// The cluster.
        role: Role,
        /// What runs.
        running: String,
        /// What was asked for.
        asked: String,
    },
    /// A lab name that cannot be part of link names.
    #[error("`{name}` cannot name a lab: use one to ten lower-case letters")]
    InvalidName {
        /// The text.
        name: String,
    },
    /// A subnet the lab cannot use.
    #[error("the lab cannot use {subnet}: it needs an IPv4 /24 outside 10.32.0.0/11")]
    InvalidSubnet {
        /// The subnet.
        subnet: Ipv4Net,
    },
    /// A number of nodes no cluster can have.
    #[error("a lab's cluster has 1 to {MAX_NODES} nodes, asked were {nodes}")]
    InvalidNodes {
        /// The number.
        nodes: u8,
    },
    /// A role no lab cluster can have.
    #[error("a lab's clusters are named `a` to `i` ({MAX_CLUSTERS} at most), not `{role}`")]
    InvalidLabRole {
        /// The role.
        role: Role,
    },
    /// A role was named twice.
    #[error("cluster `{role}` is named twice")]
    RepeatedRole {
        /// The role.
        role: Role,
    },
    /// No cluster was asked for.
    #[error("a lab needs at least one cluster")]
    NoClusters,
    /// A gateway nobody knows.
    #[error("there is no gateway `{name}`: use `traefik` or `envoy`")]
    UnknownGateway {
        /// The text.
        name: String,
    },
    /// A role the lab does not have.
    #[error("the lab has no cluster `{role}`")]
    UnknownRole {
        /// The role.
        role: Role,
    },
    /// The lab does not run.
    #[error("no lab is running in {}", path.display())]
    NotRunning {
        /// The state directory.
        path: PathBuf,
    },
    /// A file or system operation failed.
    #[error("{action} {}", path.display())]
    Io {
        /// What was done (`cannot write`).
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A file of the lab cannot be understood.
    #[error("{} is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A program could not be started.
    #[error("cannot start `{program}`")]
    Spawn {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A program of the operating system refused.
    #[error("`{command}` failed with {status}: {message}")]
    Command {
        /// Program and arguments.
        command: String,
        /// How it ended.
        status: String,
        /// The last of what it said.
        message: String,
    },
    /// Keys or certificates could not be made.
    #[error("cannot make certificates")]
    Pki(#[from] rcgen::Error),
    /// A node's init ended.
    #[error("node `{node}` ended at start; its last lines:\n{tail}\nlog: {}", log.display())]
    NodeDied {
        /// The node.
        node: String,
        /// The last lines of its log.
        tail: String,
        /// The log.
        log: PathBuf,
    },
    /// A component does not stay up.
    #[error(
        "{component} of node `{node}` does not stay up ({exit}); its last lines:\n{tail}\nlog: {}",
        log.display()
    )]
    ComponentDied {
        /// The node.
        node: String,
        /// The component.
        component: String,
        /// How it ended last.
        exit: String,
        /// The last lines of its log.
        tail: String,
        /// The log.
        log: PathBuf,
    },
    /// Something did not become ready in time.
    #[error("{what} is not ready after {} s: {last}; logs: {}", waited.as_secs(), log.display())]
    NotReady {
        /// What was waited for.
        what: String,
        /// How long.
        waited: Duration,
        /// What was seen last.
        last: String,
        /// Where to look.
        log: PathBuf,
    },
    /// A cluster's API refused something.
    #[error("cluster `{role}`: cannot {action}")]
    Api {
        /// The cluster.
        role: Role,
        /// What was asked.
        action: String,
        /// Why it failed.
        #[source]
        source: Box<kube::Error>,
    },
    /// A cluster's kubeconfig cannot be used.
    #[error("cannot use the kubeconfig {}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<kube::config::KubeconfigError>,
    },
    /// What runs inside a cluster does not work.
    #[error("the add-ons of cluster `{role}` do not work; logs: {}", log.display())]
    Addon {
        /// The cluster.
        role: Role,
        /// What does not work, and why.
        #[source]
        source: Box<AddonError>,
        /// The directory of the nodes' logs.
        log: PathBuf,
    },
    /// Something of the lab is still there after it was taken down.
    #[error("the lab left something behind: {}", left.join(", "))]
    Left {
        /// What.
        left: Vec<String>,
    },
    /// A person interrupted the work.
    #[error("interrupted")]
    Interrupted,
}

impl LabError {
    /// An [`LabError::Io`] for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    /// The same error once the logs it points to were moved.
    #[must_use]
    pub(crate) fn with_logs_moved(mut self, from: &Path, to: &Path) -> Self {
        if let Self::NodeDied { log, .. }
        | Self::ComponentDied { log, .. }
        | Self::Addon { log, .. }
        | Self::NotReady { log, .. } = &mut self
            && let Ok(rest) = log.strip_prefix(from)
        {
            *log = to.join(rest);
        }
        self
    }
}
