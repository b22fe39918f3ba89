//! A lab that works: components, images, clusters and add-ons, and a look at whether they really answer.

use super::addons::{AddonImages, AddonSpec};
use super::build::{self, BuildError, BuildOptions, Components};
use super::error::LabError;
use super::image::{self, ImageError, ImageRef, LabImages};
use super::paths::LabPaths;
use super::spec::{ClusterSpec, GatewayKind, LabRequest, LabSpec};
use super::state::LabState;
use super::up::{LabBinaries, NodeImage, up};
use crate::exit::Exit;
use crate::progress::Progress;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
}

impl RaiseError {
    /// The exit code it ends the process with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Lab(error) => error.exit(),
            Self::Build(error) => error.exit(),
            Self::Image(error) => error.exit(),
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Lab(error) => error.hint(),
            Self::Build(error) => error.hint(),
            Self::Image(error) => error.hint(),
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

    /// What nodes of these clusters get.
    fn binaries(
        &self,
        clusters: &[ClusterSpec],
        extent: Extent,
    ) -> Result<LabBinaries, BuildError> {
        let mut addons = BTreeMap::new();
        let mut seen_within = Duration::ZERO;
        if let Extent::Furnished {
            seen_within: within,
        } = extent
        {
            seen_within = within;
            for cluster in clusters {
                addons.insert(cluster.role.clone(), self.addons(cluster)?);
            }
        }
        Ok(LabBinaries {
            directory: self.components.bin().to_owned(),
            images: self.node_images(extent),
            pause_image: self.images.pause.name.clone(),
            addons,
            seen_within,
        })
    }

    /// In the order in which pods need them. A bare cluster runs nothing but sandboxes by itself.
    fn node_images(&self, extent: Extent) -> Vec<NodeImage> {
        let images = &self.images;
        let of = |image: &ImageRef, gateway| NodeImage {
            image: image.clone(),
            gateway,
        };
        let mut all = vec![of(&images.pause, None)];
        if extent != Extent::Bare {
            all.extend([
                of(&images.coredns, None),
                of(&images.traefik, Some(GatewayKind::Traefik)),
                of(&images.envoy_gateway, Some(GatewayKind::Envoy)),
                of(&self.agent_stack, None),
                of(&images.envoy, Some(GatewayKind::Envoy)),
            ]);
        }
        all
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
    /// With every add-on, each seen to work.
    Furnished {
        /// How long ago that may have been, if nothing has changed since; zero: now.
        seen_within: Duration,
    },
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
    let asked = LabSpec::new(request)?;
    let binaries = material.binaries(&asked.clusters, extent)?;
    Ok(up(request, &binaries, paths, kept_logs, progress).await?)
}
