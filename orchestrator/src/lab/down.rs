//! `lab down`: ends what the lab started and removes what it made, and nothing else.
//!
//! It works from what it finds: inits by process id and start time, or by the word that only they were started with;
//! links by the alias that names this lab; cgroups by the names in the nodes' configurations. A damaged state file
//! does not keep it from working.

use super::cgroup::{self, Hierarchies};
use super::error::LabError;
use super::node::config::NodeConfig;
use super::paths::{LabPaths, NodePaths};
use super::process::{self, ProcessIdentity};
use super::spec::ClusterSpec;
use super::state::{LabLock, LabState};
use super::{files, network};
use crate::progress::Progress;
use futures::future::join_all;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a node may take to end in order.
const IN_ORDER: Duration = Duration::from_millis(1_200);
/// How long the kernel may take to end what was killed.
const KILLED: Duration = Duration::from_secs(10);

/// Takes the whole lab down. No lab at all is fine.
///
/// # Errors
/// [`LabError::Left`] with everything that is still there.
pub async fn down(paths: &LabPaths, progress: &dyn Progress) -> Result<(), LabError> {
    if !paths.lock().exists() {
        // An `up` that was killed in its first moment leaves an empty directory; one with files is not a lab's.
        let _ = fs::remove_dir(paths.root());
        progress.note("there is no lab to take down");
        return Ok(());
    }
    let begun = Instant::now();
    progress.started("lab down");
    let _lock = LabLock::take(paths)?;
    let state = LabState::load(paths).ok().flatten();
    let hierarchies = cgroup::of_host()?;
    let nodes = node_names(paths, state.as_ref());
    let remains: Vec<Remains> = nodes
        .iter()
        .map(|name| Remains::of(name, paths, state.as_ref()))
        .collect();
    clear(&remains, paths, &hierarchies).await?;
    for link in network::links_of(paths) {
        network::remove(&link, paths).await?;
    }
    remove_tree(paths.root())?;
    check_nothing_left(&remains, paths, &hierarchies)?;
    progress.finished("lab down", begun.elapsed());
    Ok(())
}

/// Takes some clusters out of the lab, and the lab itself when none is left.
///
/// # Errors
/// As [`down`].
pub(super) async fn clear_clusters(
    state: &mut LabState,
    clusters: &[ClusterSpec],
    paths: &LabPaths,
) -> Result<(), LabError> {
    let hierarchies = cgroup::of_host()?;
    for cluster in clusters {
        clear_cluster(state, cluster, paths, &hierarchies).await?;
    }
    state
        .spec
        .clusters
        .retain(|cluster| !clusters.contains(cluster));
    if !state.spec.clusters.is_empty() {
        return state.save(paths);
    }
    network::remove(&state.spec.bridge(), paths).await?;
    remove_tree(paths.root())
}

/// Ends what runs of a cluster and removes its links, cgroups and files.
///
/// # Errors
/// As [`down`].
pub(super) async fn clear_cluster(
    state: &mut LabState,
    cluster: &ClusterSpec,
    paths: &LabPaths,
    hierarchies: &Hierarchies,
) -> Result<(), LabError> {
    let nodes = cluster.nodes();
    let remains: Vec<Remains> = nodes
        .iter()
        .map(|node| Remains::of(&node.name, paths, Some(state)))
        .collect();
    clear(&remains, paths, hierarchies).await?;
    for node in &nodes {
        network::remove(&state.spec.link(node), paths).await?;
        remove_tree(paths.node(node).root())?;
        state.launches.remove(&node.name);
    }
    remove_tree(&paths.cluster(&cluster.role))
}

/// What is known of a node that has to go.
struct Remains {
    name: String,
    init: Option<ProcessIdentity>,
    launch: Option<String>,
    cgroups: BTreeSet<String>,
}

impl Remains {
    fn of(name: &str, paths: &LabPaths, state: Option<&LabState>) -> Self {
        let files = NodePaths::new(paths.nodes().join(name));
        let config: Option<NodeConfig> = files::read_json(&files.config()).ok().flatten();
        let planned = state.and_then(|state| {
            let node = state
                .spec
                .nodes()
                .into_iter()
                .find(|node| node.name == name)?;
            Some(state.spec.cgroup(&node))
        });
        Self {
            name: name.to_owned(),
            init: files::read_json(&files.identity()).ok().flatten(),
            launch: state.and_then(|state| state.launches.get(name).cloned()),
            cgroups: planned
                .into_iter()
                .chain(config.map(|config| config.cgroup))
                .collect(),
        }
    }

    /// The init and whatever launched it, of those that are there.
    fn processes(&self) -> Vec<ProcessIdentity> {
        let launched = self
            .launch
            .iter()
            .flat_map(|word| process::with_argument(word));
        self.init
            .iter()
            .cloned()
            .chain(launched)
            .filter(ProcessIdentity::is_alive)
            .collect()
    }

    async fn end(&self) {
        if let Some(init) = &self.init {
            init.signal(Signal::TERM);
            init.ended_within(IN_ORDER).await;
        }
        let left = self.processes();
        for process in &left {
            process.signal(Signal::KILL);
        }
        join_all(left.iter().map(|process| process.ended_within(KILLED))).await;
    }
}

async fn clear(
    remains: &[Remains],
    paths: &LabPaths,
    hierarchies: &Hierarchies,
) -> Result<(), LabError> {
    join_all(remains.iter().map(Remains::end)).await;
    let alive: Vec<String> = remains.iter().flat_map(living).collect();
    if !alive.is_empty() {
        return Err(LabError::Left { left: alive });
    }
    for cgroup in remains.iter().flat_map(|node| &node.cgroups) {
        cgroup::remove(hierarchies, cgroup).await?;
    }
    tracing::debug!(lab = %paths.root().display(), nodes = remains.len(), "nodes are cleared");
    Ok(())
}

fn living(node: &Remains) -> Vec<String> {
    let processes = node.processes();
    processes
        .iter()
        .map(|process| format!("process {} of node {}", process.pid, node.name))
        .collect()
}

fn node_names(paths: &LabPaths, state: Option<&LabState>) -> BTreeSet<String> {
    let found = fs::read_dir(paths.nodes()).into_iter().flatten().flatten();
    let found = found.filter_map(|entry| entry.file_name().into_string().ok());
    let planned = state.into_iter().flat_map(|state| state.spec.nodes());
    found.chain(planned.map(|node| node.name)).collect()
}

fn remove_tree(path: &Path) -> Result<(), LabError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(LabError::io("cannot remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn check_nothing_left(
    remains: &[Remains],
    paths: &LabPaths,
    hierarchies: &Hierarchies,
) -> Result<(), LabError> {
    let mut left: Vec<String> = remains.iter().flat_map(living).collect();
    left.extend(
        network::links_of(paths)
            .into_iter()
            .map(|link| format!("link {link}")),
    );
    let names = remains.iter().flat_map(|node| &node.cgroups);
    let cgroups = names.filter_map(|name| cgroup::existing(hierarchies, name));
    left.extend(cgroups.map(|path| format!("cgroup {}", path.display())));
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let root = paths.root().display().to_string();
    left.extend(
        mounts
            .lines()
            .filter(|line| line.contains(&root))
            .map(|line| format!("mount {line}")),
    );
    left.extend(paths.root().exists().then_some(root));
    if left.is_empty() {
        Ok(())
    } else {
        Err(LabError::Left { left })
    }
}
