//! `lab status`: what runs, in which version, how much memory it takes, and where its logs are.

use super::api::ClusterApi;
use super::cgroup::{self, Hierarchies};
use super::error::LabError;
use super::node::status::{ComponentState, NodeStatus};
use super::paths::LabPaths;
use super::preflight;
use super::process::ProcessIdentity;
use super::spec::{ClusterSpec, GatewayKind, NodeSpec};
use super::state::LabState;
use crate::verify::Role;
use serde::Serialize;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

/// How long an API server may take to say its version.
const API_LIMIT: Duration = Duration::from_secs(3);

/// A lab at one moment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LabStatus {
    /// The lab's directory.
    pub directory: PathBuf,
    /// Its clusters.
    pub clusters: Vec<ClusterStatus>,
    /// Memory of all nodes, in bytes.
    pub memory_bytes: u64,
    /// What is different on this machine from others.
    pub remarks: Vec<String>,
}

/// A cluster at one moment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// Its role.
    pub role: Role,
    /// Its Gateway API implementation.
    pub gateway: GatewayKind,
    /// Where its API server is.
    pub api: String,
    /// The version its API server says, or why it says none.
    pub version: Result<String, String>,
    /// Its administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// Its API audit log.
    pub audit_log: PathBuf,
    /// Its nodes.
    pub nodes: Vec<NodeReport>,
}

/// A node at one moment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its init, by the host's process id; `None` when it has ended.
    pub init: Option<i32>,
    /// Memory of its components and pods, in bytes, without file cache that can be dropped.
    pub memory_bytes: Option<u64>,
    /// The directory of its logs.
    pub logs: PathBuf,
    /// What runs on it.
    pub components: Vec<ComponentReport>,
}

/// A component at one moment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentReport {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: ComponentState,
    /// Its process id inside the node.
    pub pid: Option<i32>,
    /// Its resident memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// How often it was started again.
    pub restarts: u32,
    /// How it ended last.
    pub last_exit: Option<String>,
}

impl LabStatus {
    /// Whether every node and every component runs and every API server answers.
    pub fn is_healthy(&self) -> bool {
        let nodes = || self.clusters.iter().flat_map(|cluster| &cluster.nodes);
        let mut components = nodes().flat_map(|node| &node.components);
        self.clusters.iter().all(|cluster| cluster.version.is_ok())
            && nodes().all(|node| node.init.is_some())
            && components.all(|component| component.state == ComponentState::Running)
    }
}

/// Looks at the lab.
///
/// # Errors
/// [`LabError::NotRunning`], or the lab's files cannot be read.
pub async fn status(paths: &LabPaths) -> Result<LabStatus, LabError> {
    let state = LabState::load(paths)?.ok_or_else(|| LabError::NotRunning {
        path: paths.root().to_owned(),
    })?;
    let hierarchies = cgroup::of_host()?;
    let look = |cluster| cluster_status(cluster, &state, paths, &hierarchies);
    let clusters = futures::future::try_join_all(state.spec.clusters.iter().map(look)).await?;
    let nodes = clusters.iter().flat_map(|cluster| &cluster.nodes);
    Ok(LabStatus {
        directory: paths.root().to_owned(),
        memory_bytes: nodes.filter_map(|node| node.memory_bytes).sum(),
        clusters,
        remarks: remarks(&hierarchies),
    })
}

fn remarks(hierarchies: &Hierarchies) -> Vec<String> {
    let mut remarks = Vec::new();
    if cgroup::is_v1(hierarchies) {
        remarks.push("the machine has cgroup v1, which kubelet is told to accept".to_owned());
    }
    if !preflight::may_lower_oom_score() {
        remarks.push(
            "root lacks CAP_SYS_RESOURCE: containerd and gVisor's shim do not lower OOM scores"
                .to_owned(),
        );
    }
    remarks
}

async fn cluster_status(
    cluster: &ClusterSpec,
    state: &LabState,
    paths: &LabPaths,
    hierarchies: &Hierarchies,
) -> Result<ClusterStatus, LabError> {
    let nodes = cluster.nodes().into_iter();
    let nodes = nodes.map(|node| node_report(&node, state, paths, hierarchies));
    Ok(ClusterStatus {
        role: cluster.role.clone(),
        gateway: cluster.gateway,
        api: format!("https://{}", cluster.api()),
        version: version(paths, &cluster.role).await,
        kubeconfig: paths.kubeconfig(&cluster.role),
        audit_log: paths.audit_log(&cluster.role),
        nodes: nodes.collect::<Result<_, _>>()?,
    })
}

async fn version(paths: &LabPaths, role: &Role) -> Result<String, String> {
    let api = ClusterApi::new(paths, role)
        .await
        .map_err(|error| error.to_string())?;
    let answer = tokio::time::timeout(API_LIMIT, api.version()).await;
    answer.unwrap_or_else(|_| Err("the API server does not answer".to_owned()))
}

fn node_report(
    node: &NodeSpec,
    state: &LabState,
    paths: &LabPaths,
    hierarchies: &Hierarchies,
) -> Result<NodeReport, LabError> {
    let files = paths.node(node);
    let init = state.init(paths, node)?;
    let known = NodeStatus::read(&files)?.unwrap_or_default();
    let components = known
        .components
        .into_iter()
        .map(|component| ComponentReport {
            memory_bytes: component.pid.and_then(|pid| resident(init.as_ref()?, pid)),
            name: component.name,
            state: component.state,
            pid: component.pid,
            restarts: component.restarts,
            last_exit: component.last_exit,
        });
    Ok(NodeReport {
        name: node.name.clone(),
        address: node.address,
        components: components.filter(|_| init.is_some()).collect(),
        init: init.map(|init| init.pid),
        memory_bytes: cgroup::memory(hierarchies, &state.spec.cgroup(node)),
        logs: files.logs(),
    })
}

/// The node's own `/proc` is seen through its init's root.
fn resident(init: &ProcessIdentity, pid: i32) -> Option<u64> {
    let path = format!("/proc/{}/root/proc/{pid}/status", init.pid);
    let status = std::fs::read_to_string(path).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}
