//! A lab that works: components, images, clusters and add-ons, and a look at whether they really answer.

use super::addons::{self, AddonError, AddonImages, AddonSpec};
use super::api::ClusterApi;
use super::build::{self, BuildError, BuildOptions, Components};
use super::error::LabError;
use super::image::{self, ImageError, ImageRef, LabImages};
use super::paths::LabPaths;
use super::spec::{ClusterSpec, LabRequest};
use super::state::LabState;
use super::up::{LabBinaries, up};
use crate::exit::Exit;
use crate::progress::Progress;
use futures::future::try_join_all;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the add-ons of a cluster may take to work.
const PATIENCE: Duration = Duration::from_mins(2);

/// Why there is no working lab.
#[derive(Debug, thiserror::Error)]
pub enum RaiseError {
    /// A component cannot be built or is not there.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// An image cannot be made.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The clusters did not come up.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// What runs inside the clusters does not work.
    #[error(transparent)]
    Addon(#[from] AddonError),
}

impl RaiseError {
    /// The exit code it ends the process with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Lab(error) => error.exit(),
            Self::Build(_) | Self::Image(_) => Exit::Doctor,
            Self::Addon(_) => Exit::Infrastructure,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Lab(error) => error.hint(),
            Self::Addon(_) => Some(
                "`portproof lab status` names the logs; `portproof lab down` removes the lab"
                    .into(),
            ),
            Self::Build(_) | Self::Image(_) => None,
        }
    }
}

/// Everything a lab is made of, ready on disk.
#[derive(Clone, Debug)]
pub struct LabMaterial {
    /// Component binaries and manifests.
    pub components: Components,
    /// Images of the components.
    pub images: LabImages,
    /// Image of the reference stack.
    pub agent_stack: ImageRef,
}

impl LabMaterial {
    /// Builds what is missing: components first, then the images made of them and of the `agent-stack` program.
    ///
    /// # Errors
    /// When a component cannot be built or an image cannot be made.
    pub fn build(
        cache: &Path,
        agent_stack: &Path,
        progress: &dyn Progress,
    ) -> Result<Self, RaiseError> {
        let components = build::build(&BuildOptions::new(cache), progress)?;
        let images = image::lab_images(&components, cache)?;
        let agent_stack = image::agent_stack(agent_stack, &stack_tar(cache), cache)?;
        Ok(Self {
            components,
            images,
            agent_stack,
        })
    }

    fn binaries(&self) -> LabBinaries {
        let images = &self.images;
        let all = [
            &images.pause,
            &images.coredns,
            &images.traefik,
            &images.envoy_gateway,
            &images.envoy,
        ];
        LabBinaries {
            directory: self.components.bin().to_owned(),
            images: all
                .into_iter()
                .chain([&self.agent_stack])
                .map(|image| image.tar.clone())
                .collect(),
            pause_image: images.pause.name.clone(),
        }
    }

    fn addons(&self, cluster: &ClusterSpec) -> Result<AddonSpec, BuildError> {
        let images = AddonImages::new(&self.images, &self.agent_stack.name);
        AddonSpec::new(
            cluster.role.as_str(),
            cluster.gateway,
            cluster.dns(),
            images,
            &self.components,
        )
    }
}

fn stack_tar(cache: &Path) -> PathBuf {
    cache.join("images").join("agent-stack.tar")
}

/// How much of a lab is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Nodes only: no DNS, no Gateway API.
    Bare,
    /// With every add-on.
    Furnished,
}

/// Brings up what is asked for, or makes sure that it is up, and returns once everything has been seen to work.
///
/// # Errors
/// See [`RaiseError`]; what a failed start had begun is taken down again.
pub async fn raise(
    request: &LabRequest,
    extent: Extent,
    material: &LabMaterial,
    paths: &LabPaths,
    kept_logs: &Path,
    progress: &dyn Progress,
) -> Result<LabState, RaiseError> {
    let state = up(request, &material.binaries(), paths, kept_logs, progress).await?;
    if extent == Extent::Furnished {
        let clusters = state.spec.clusters.iter();
        try_join_all(clusters.map(|cluster| furnish(cluster, material, paths, progress))).await?;
    }
    Ok(state)
}

async fn furnish(
    cluster: &ClusterSpec,
    material: &LabMaterial,
    paths: &LabPaths,
    progress: &dyn Progress,
) -> Result<(), RaiseError> {
    let client = ClusterApi::new(paths, &cluster.role).await?.client();
    let spec = material.addons(cluster)?;
    addons::install(client.clone(), &spec, progress).await?;
    addons::wait_working(client, &spec, PATIENCE, progress).await?;
    Ok(())
}
