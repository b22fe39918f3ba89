//! The Gateway API implementations that a cluster of the lab can have.

use crate::lab::image::{ImageRef, LabImages};

/// A Gateway API implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayKind {
    /// Traefik Proxy.
    Traefik,
    /// Envoy Gateway with Envoy.
    Envoy,
}

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
        GatewayKind::Envoy => vec![&images.pause, &images.coredns, &images.envoy_gateway, &images.envoy],
    }
}
