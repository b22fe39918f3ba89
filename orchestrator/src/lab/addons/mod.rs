//! What a bare cluster of the lab gets before it is of use: DNS, the Gateway API and an implementation of it.
//!
//! [`install`] applies manifests and returns; [`wait_working`] then finds out by using them that DNS, Services,
//! NetworkPolicy, the sandbox and the gateway work. Conditions are not trusted: a gateway says it is programmed before
//! it answers, and a policy controller that enforces nothing reports no error at all.

pub mod gateway;
pub mod probes;

mod apply;
mod certificates;
mod error;
mod manifest;

pub use error::AddonError;
pub use probes::wait_working;

use crate::lab::build::{BuildError, Components};
use crate::lab::image::LabImages;
use crate::lab::spec::GatewayKind;
use crate::progress::Progress;
use apply::Applier;
use futures::future::{try_join, try_join_all, try_join3};
use kube::Client;
use manifest::{Manifest, Values};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Instant;

/// Names of the images that the add-ons' pods run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddonImages {
    /// DNS.
    pub coredns: String,
    /// Traefik.
    pub traefik: String,
    /// Envoy Gateway.
    pub envoy_gateway: String,
    /// Envoy.
    pub envoy: String,
    /// An image with Python, for the probes.
    pub probe: String,
}

impl AddonImages {
    /// The lab's own images, with `agent_stack` for the probes.
    pub fn new(images: &LabImages, agent_stack: &str) -> Self {
        Self {
            coredns: images.coredns.name.clone(),
            traefik: images.traefik.name.clone(),
            envoy_gateway: images.envoy_gateway.name.clone(),
            envoy: images.envoy.name.clone(),
            probe: agent_stack.to_owned(),
        }
    }
}

/// What one cluster gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddonSpec {
    /// Name of the cluster, for progress and messages.
    pub cluster: String,
    /// Its Gateway API implementation.
    pub gateway: GatewayKind,
    /// ClusterIP of its DNS.
    pub dns_address: Ipv4Addr,
    /// Images that are on its nodes.
    pub images: AddonImages,
    /// Directory with the Gateway API's CRDs and policy.
    pub gateway_api: PathBuf,
}

impl AddonSpec {
    /// A cluster with manifests from `components`.
    ///
    /// # Errors
    /// [`BuildError::NotBuilt`] when the manifests have not been built.
    pub fn new(
        cluster: impl Into<String>,
        gateway: GatewayKind,
        dns_address: Ipv4Addr,
        images: AddonImages,
        components: &Components,
    ) -> Result<Self, BuildError> {
        Ok(Self {
            cluster: cluster.into(),
            gateway,
            dns_address,
            images,
            gateway_api: components.manifests("gateway-api")?,
        })
    }

    fn values(&self) -> Values<'_> {
        Values {
            dns_address: self.dns_address,
            images: &self.images,
            class: gateway::class(self.gateway),
        }
    }
}

/// Applies all add-ons: [`apply_kinds`] and [`apply_pods`]. Doing it again changes nothing.
///
/// # Errors
/// [`AddonError`] when a manifest is not to be read or the API server refuses an object.
pub async fn install(
    client: Client,
    cluster: &AddonSpec,
    progress: &dyn Progress,
) -> Result<(), AddonError> {
    try_join(
        Box::pin(apply_kinds(client.clone(), cluster, progress)),
        Box::pin(apply_pods(client, cluster, progress)),
    )
    .await?;
    Ok(())
}

/// Applies the Gateway API's CRDs and its policy. Needs an API server and nothing else, so it can be done while nodes
/// start and images are imported.
///
/// # Errors
/// As [`install`].
pub async fn apply_kinds(
    client: Client,
    cluster: &AddonSpec,
    progress: &dyn Progress,
) -> Result<(), AddonError> {
    let work = async |applier: Applier| gateway_api(&applier, cluster).await;
    timed(
        &format!("{}: Gateway API", cluster.cluster),
        progress,
        Box::pin(work(Applier::new(client))),
    )
    .await
}

/// Applies DNS and the gateway. Their images have to be on the nodes: a pod that misses its image is tried again only
/// after ten seconds.
///
/// # Errors
/// As [`install`].
pub async fn apply_pods(
    client: Client,
    cluster: &AddonSpec,
    progress: &dyn Progress,
) -> Result<(), AddonError> {
    let work = async |applier: Applier| {
        try_join3(
            dns(&applier, cluster),
            implementation(&applier, cluster),
            class(&applier, cluster),
        )
        .await
        .map(drop)
    };
    timed(
        &format!("{}: DNS and gateway", cluster.cluster),
        progress,
        Box::pin(work(Applier::new(client))),
    )
    .await
}

async fn timed(
    part: &str,
    progress: &dyn Progress,
    work: impl Future<Output = Result<(), AddonError>>,
) -> Result<(), AddonError> {
    let start = Instant::now();
    progress.started(part);
    work.await?;
    progress.finished(part, start.elapsed());
    Ok(())
}

async fn dns(applier: &Applier, cluster: &AddonSpec) -> Result<(), AddonError> {
    applier
        .apply_in_order(&Manifest::CoreDns.objects(&cluster.values())?)
        .await
}

/// The policy comes after the CRDs: it is there to keep others from replacing them with older ones (GEP-2493).
async fn gateway_api(applier: &Applier, cluster: &AddonSpec) -> Result<(), AddonError> {
    let objects = manifest::directory(&cluster.gateway_api)?;
    let (crds, rest): (Vec<_>, Vec<_>) = objects.into_iter().partition(manifest::is_crd);
    applier.apply_crds(&crds).await?;
    applier.apply_in_order(&rest).await
}

async fn implementation(applier: &Applier, cluster: &AddonSpec) -> Result<(), AddonError> {
    match cluster.gateway {
        GatewayKind::Traefik => {
            applier
                .apply_in_order(&Manifest::Traefik.objects(&cluster.values())?)
                .await
        }
        GatewayKind::Envoy => envoy_gateway(applier, cluster).await,
    }
}

/// Its own CRDs are left out: they are 2.5 MB of schemas and rules that cost the API server four seconds of processor
/// time and 100 MiB of memory, and the controller does without them. What its Envoys look like is in its configuration.
async fn envoy_gateway(applier: &Applier, cluster: &AddonSpec) -> Result<(), AddonError> {
    let objects = Manifest::EnvoyGateway.objects(&cluster.values())?;
    let (namespace, rest) = objects.split_at(1);
    applier.apply_in_order(namespace).await?;
    certificates::ensure(applier).await?;
    applier.apply_in_order(rest).await
}

/// The kind may not be served yet; the applier waits for it.
async fn class(applier: &Applier, cluster: &AddonSpec) -> Result<(), AddonError> {
    let manifest = match cluster.gateway {
        GatewayKind::Traefik => Manifest::TraefikClass,
        GatewayKind::Envoy => Manifest::EnvoyGatewayClass,
    };
    let objects = manifest.objects(&cluster.values())?;
    try_join_all(objects.iter().map(|object| applier.apply(object))).await?;
    Ok(())
}
