//! `lab up`: from nothing, from a half started lab or from a running one to a running one.

use super::addons::AddonSpec;
use super::cgroup::Hierarchies;
use super::cluster::Site;
use super::error::LabError;
use super::image::ImageRef;
use super::paths::LabPaths;
use super::spec::{ClusterSpec, GatewayKind, LabRequest, LabSpec};
use super::state::{LabLock, LabState};
use super::{cgroup, down, files, network, preflight};
use crate::progress::Progress;
use crate::verify::Role;
use futures::future::try_join_all;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a lab is made of.
#[derive(Clone, Debug)]
pub struct LabBinaries {
    /// Directory with all component binaries, by name.
    pub directory: PathBuf,
    /// Images of the nodes, the sandbox's first.
    pub images: Vec<NodeImage>,
    /// Name of the image of every pod's sandbox; one of `images` holds it.
    pub pause_image: String,
    /// What each cluster gets beyond its nodes; a cluster without an entry stays bare.
    pub addons: BTreeMap<Role, AddonSpec>,
    /// How long ago add-ons may have been seen to work.
    pub seen_within: Duration,
}

/// An image that nodes get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeImage {
    /// The image.
    pub image: ImageRef,
    /// The gateway that needs it; every node gets it when there is none.
    pub gateway: Option<GatewayKind>,
}

impl LabBinaries {
    /// The images of a cluster's nodes: not those of a gateway it does not have.
    pub(crate) fn images_of(&self, cluster: &ClusterSpec) -> Vec<&ImageRef> {
        let wanted = |image: &&NodeImage| image.gateway.is_none_or(|kind| kind == cluster.gateway);
        self.images
            .iter()
            .filter(wanted)
            .map(|image| &image.image)
            .collect()
    }
}

/// Brings the lab up and returns when its clusters are ready. What already runs is kept. When it fails, the clusters
/// that this call started are taken down again, and their logs are kept in `kept_logs`.
///
/// # Errors
/// What the machine lacks, what is in the way, or what did not come up.
pub async fn up(
    request: &LabRequest,
    binaries: &LabBinaries,
    paths: &LabPaths,
    kept_logs: &Path,
    progress: &dyn Progress,
) -> Result<LabState, LabError> {
    check(request, paths).await?;
    preflight::check_files(binaries)?;
    preflight::claim_directory(paths)?;
    let asked = LabSpec::new(request)?;
    let hierarchies = cgroup::of_host()?;
    let _lock = LabLock::take(paths)?;
    let (state, fresh) = plan(&asked, paths, &hierarchies).await?;
    let raised = tokio::select! {
        raised = raise(&asked, &state, binaries, paths, progress) => raised,
        () = interrupted() => Err(LabError::Interrupted),
    };
    if let Err(error) = raised {
        return Err(abandon(error, &fresh, state, paths, kept_logs, progress).await);
    }
    state.save(paths)?;
    Ok(state)
}

/// Looks whether the machine can carry the lab that is asked for and nothing is in the way. Makes nothing, so it can be
/// asked before anything is built.
///
/// # Errors
/// What the machine lacks, or what is in the way.
pub async fn check(request: &LabRequest, paths: &LabPaths) -> Result<(), LabError> {
    let asked = LabSpec::new(request)?;
    let hierarchies = cgroup::of_host()?;
    preflight::check_machine(&hierarchies)?;
    check_room(&asked, paths, &hierarchies).await?;
    preflight::check_directory(paths)
}

/// What would only show while nodes start, looked at before anything is made.
async fn check_room(
    asked: &LabSpec,
    paths: &LabPaths,
    hierarchies: &Hierarchies,
) -> Result<(), LabError> {
    let state = LabState::load(paths)?;
    if state.is_none() {
        preflight::check_names(asked, paths, hierarchies).await?;
    }
    let runs = |cluster: &&ClusterSpec| {
        let running = state.as_ref().map(|state| state.runs(paths, cluster));
        matches!(running, Some(Ok(true)))
    };
    let (_, new): (Vec<_>, Vec<_>) = asked.clusters.iter().partition(runs);
    let nodes: usize = new.iter().map(|cluster| usize::from(cluster.nodes)).sum();
    preflight::check_inotify(new.len(), nodes - new.len())
}

/// What the lab is to be, saved before anything of it is started; and the clusters that have to be started.
async fn plan(
    asked: &LabSpec,
    paths: &LabPaths,
    hierarchies: &Hierarchies,
) -> Result<(LabState, Vec<ClusterSpec>), LabError> {
    let mut state = match LabState::load(paths)? {
        Some(state) => state.joined(asked)?,
        None => LabState::new(asked.clone()),
    };
    let mut fresh = Vec::new();
    for cluster in &asked.clusters {
        if !state.runs(paths, cluster)? {
            down::clear_cluster(&mut state, cluster, paths, hierarchies).await?;
            state.announce(cluster);
            fresh.push(cluster.clone());
        }
    }
    state.save(paths)?;
    Ok((state, fresh))
}

async fn raise(
    asked: &LabSpec,
    state: &LabState,
    binaries: &LabBinaries,
    paths: &LabPaths,
    progress: &dyn Progress,
) -> Result<(), LabError> {
    network::ensure_bridge(&state.spec, paths).await?;
    let itself = Path::new("/proc/self/exe");
    let program = std::fs::read_link(itself).map_err(LabError::io("cannot read", itself))?;
    let site = Site {
        paths,
        state,
        binaries,
        program: &program,
        hierarchies: &cgroup::of_host()?,
        progress,
    };
    try_join_all(asked.clusters.iter().map(|cluster| site.bring_up(cluster))).await?;
    Ok(())
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Takes down what this call started. The error that is returned tells where the logs are now.
async fn abandon(
    error: LabError,
    fresh: &[ClusterSpec],
    mut state: LabState,
    paths: &LabPaths,
    kept_logs: &Path,
    progress: &dyn Progress,
) -> LabError {
    let kept = keep_logs(fresh, paths, kept_logs);
    let cleared = down::clear_clusters(&mut state, fresh, paths).await;
    if let Err(also) = cleared {
        progress.note(&format!(
            "not everything could be taken down again ({also}): run `portproof lab down`"
        ));
    }
    match kept {
        Ok(()) => error.with_logs_moved(&paths.nodes(), kept_logs),
        Err(_) => error,
    }
}

/// Component logs and pods' logs.
fn keep_logs(fresh: &[ClusterSpec], paths: &LabPaths, kept: &Path) -> Result<(), LabError> {
    for node in fresh.iter().flat_map(ClusterSpec::nodes) {
        let (files, kept) = (paths.node(&node), kept.join(&node.name));
        copy_files(&files.logs(), &kept.join("log"))?;
        copy_files(&files.pod_logs(), &kept.join("pods"))?;
    }
    Ok(())
}

fn copy_files(from: &Path, to: &Path) -> Result<(), LabError> {
    let entries = match std::fs::read_dir(from) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        read => read.map_err(LabError::io("cannot read", from))?,
    };
    files::directory(to)?;
    for entry in entries.flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            copy_files(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target).map_err(LabError::io("cannot write", &target))?;
        }
    }
    Ok(())
}
