//! Images come into the nodes' containerd from OCI layout tars; nothing is ever pulled.

use super::command;
use super::components::CONTAINERD_SOCKET;
use super::error::LabError;
use super::files;
use super::image::ImageRef;
use super::node::config::NodeConfig;
use super::paths::{LabPaths, NodePaths};
use super::process::ProcessIdentity;
use super::state::LabState;
use futures::future::try_join_all;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;

/// Imports an image into every node of the lab. Returns the nodes' names.
///
/// # Errors
/// The lab does not run, the file is missing, or containerd refuses it.
pub async fn load_image(image: &Path, paths: &LabPaths) -> Result<Vec<String>, LabError> {
    let not_running = || LabError::NotRunning {
        path: paths.root().to_owned(),
    };
    let image = std::path::absolute(image).map_err(LabError::io("cannot find", image))?;
    let state = LabState::load(paths)?.ok_or_else(not_running)?;
    let nodes = state.spec.nodes();
    let imports = nodes.iter().map(|node| async {
        let files = paths.node(node);
        let config: NodeConfig = files::read_json(&files.config())?.ok_or_else(not_running)?;
        let init = state.init(paths, node)?.ok_or_else(not_running)?;
        let store = ImageStore {
            init: &init,
            paths: files,
            binaries: &config.binaries,
        };
        store.import(&image).await
    });
    try_join_all(imports).await?;
    Ok(nodes.into_iter().map(|node| node.name).collect())
}

/// Name and digest of every image that was imported into a node.
type Imported = BTreeMap<String, String>;

/// A node that images are imported into.
pub(crate) struct ImageStore<'a> {
    pub(crate) init: &'a ProcessIdentity,
    pub(crate) paths: NodePaths,
    /// Directory with `ctr`.
    pub(crate) binaries: &'a Path,
}

impl ImageStore<'_> {
    /// Imports those of `images` that the node does not have, in order.
    ///
    /// # Errors
    /// A file is missing, or containerd refuses it.
    pub(crate) async fn import_missing(&self, images: &[&ImageRef]) -> Result<(), LabError> {
        let record = self.paths.root().join("images.json");
        let mut imported: Imported = files::read_json(&record)?.unwrap_or_default();
        for image in images {
            if imported.get(&image.name) != Some(&image.digest) {
                self.import(&image.tar).await?;
                imported.insert(image.name.clone(), image.digest.clone());
                files::replace_json(&record, &imported)?;
            }
        }
        Ok(())
    }

    /// Without a limit: whoever brings the node up has one.
    async fn wait_for_containerd(&self) {
        let socket = format!("/proc/{}/root{CONTAINERD_SOCKET}", self.init.pid);
        while UnixStream::connect(&socket).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Imports the images of a tar as soon as containerd answers.
    ///
    /// # Errors
    /// The file is missing, or containerd refuses it.
    pub(crate) async fn import(&self, tar: &Path) -> Result<(), LabError> {
        if !tar.is_file() {
            return Err(LabError::MissingImage {
                path: tar.to_owned(),
            });
        }
        self.wait_for_containerd().await;
        let init = self.init.pid.to_string();
        let ctr = self.binaries.join("ctr").display().to_string();
        let tar = tar.display().to_string();
        let node = ["--target", &init, "--mount", "--wd=/", "--"];
        let import = [&ctr, "--namespace", "k8s.io", "images", "import", &tar];
        command::run("nsenter", &[&node[..], &import[..]].concat()).await?;
        Ok(())
    }
}
