//! Clusters of the embedded lab, which is started where it is not up.

use super::{ImagePullPolicy, Resolved};
use crate::cluster::ClusterAccess;
use crate::lab::addons::gateway;
use crate::lab::paths::LabPaths;
use crate::lab::spec::{GatewayKind, LabRequest, LabSpec};
use crate::lab::{Extent, LabError, LabMaterial, RaiseError, raise};
use crate::progress::Progress;
use crate::scenario::LabGateway;
use crate::verify::Role;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const PROVIDER: &str = "lab";
/// A lab that was seen to work this long ago, and whose processes still run, is not looked at again.
const SEEN_WITHIN: Duration = Duration::from_mins(5);

/// Looks, before anything is built, whether this machine can carry a lab with these clusters.
///
/// # Errors
/// What the machine lacks, or what is in the way.
pub async fn check(clusters: &BTreeMap<Role, LabGateway>) -> Result<(), LabError> {
    crate::lab::check(&request(clusters), &LabPaths::from_environment()).await
}

/// Makes sure that the lab has these clusters, and the stack's image on them.
///
/// # Errors
/// When the lab does not come up or differs from what is asked for.
pub async fn resolve(
    clusters: &BTreeMap<Role, LabGateway>,
    material: &LabMaterial,
    kept_logs: &Path,
    progress: &dyn Progress,
) -> Result<Vec<Resolved>, RaiseError> {
    let paths = LabPaths::from_environment();
    let request = request(clusters);
    raise(
        &request,
        Extent::Furnished {
            seen_within: SEEN_WITHIN,
        },
        material,
        &paths,
        kept_logs,
        progress,
    )
    .await?;
    Ok(clusters
        .iter()
        .map(|(role, &kind)| resolved(role, kind, &paths))
        .collect())
}

fn request(clusters: &BTreeMap<Role, LabGateway>) -> LabRequest {
    LabRequest {
        name: LabSpec::DEFAULT_NAME.to_owned(),
        subnet: LabSpec::default_subnet(),
        clusters: clusters.keys().cloned().collect(),
        gateways: clusters
            .iter()
            .map(|(role, &kind)| (role.clone(), of_lab(kind)))
            .collect(),
        nodes: 1,
    }
}

const fn of_lab(kind: LabGateway) -> GatewayKind {
    match kind {
        LabGateway::Traefik => GatewayKind::Traefik,
        LabGateway::Envoy => GatewayKind::Envoy,
    }
}

fn resolved(role: &Role, kind: LabGateway, paths: &LabPaths) -> Resolved {
    Resolved {
        role: role.clone(),
        access: ClusterAccess {
            kubeconfig: paths.kubeconfig(role),
            context: None,
        },
        gateway_class: gateway::class(of_lab(kind)).to_owned(),
        provider: PROVIDER,
        image_pull_policy: ImagePullPolicy::Never,
    }
}
