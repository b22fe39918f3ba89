//! What follows from a cluster's Gateway API implementation.

use crate::lab::image::{ImageRef, LabImages};
use crate::lab::spec::GatewayKind;

/// Name of the `GatewayClass` that a cluster with this gateway has.
pub const fn class(kind: GatewayKind) -> &'static str {
    match kind {
        GatewayKind::Traefik => "traefik",
        GatewayKind::Envoy => "envoy",
    }
}

/// The images that nodes of a cluster with this gateway need, the sandbox's first.
pub fn images(kind: GatewayKind, images: &LabImages) -> Vec<&ImageRef> {
    match kind {
        GatewayKind::Traefik => vec![&images.pause, &images.coredns, &images.traefik],
        GatewayKind::Envoy => vec![
            &images.pause,
            &images.coredns,
            &images.envoy_gateway,
            &images.envoy,
        ],
    }
}
