//! What a person asks a lab to be, and whether a lab can be it.

use super::{GatewayKind, MAX_CLUSTERS, MAX_NODES};
use crate::lab::error::LabError;
use crate::verify::Role;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// What a person asks a lab to be.
#[derive(Clone, Debug)]
pub struct LabRequest {
    /// Prefix of the lab's link and cgroup names.
    pub name: String,
    /// The subnet of the bridge and of all nodes.
    pub subnet: Ipv4Net,
    /// Roles of the clusters.
    pub clusters: Vec<Role>,
    /// The gateways that differ from the usual ones.
    pub gateways: Vec<(Role, GatewayKind)>,
    /// Nodes of each cluster.
    pub nodes: u8,
}

impl LabRequest {
    /// The first thing about it that no lab can be.
    pub(super) fn check(&self) -> Result<(), LabError> {
        check_name(&self.name)?;
        check_subnet(self.subnet)?;
        check_nodes(self.nodes)?;
        check_roles(&self.clusters)?;
        check_gateways(self)
    }
}

/// Link names are limited to 15 bytes (`IFNAMSIZ`), of which a node's needs five beside the lab's name.
fn check_name(name: &str) -> Result<(), LabError> {
    let well_formed =
        (1..=10).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase());
    well_formed
        .then_some(())
        .ok_or_else(|| LabError::InvalidName {
            name: name.to_owned(),
        })
}

fn check_subnet(subnet: Ipv4Net) -> Result<(), LabError> {
    let own = Ipv4Net::new_assert(Ipv4Addr::new(10, 32, 0, 0), 11);
    let usable =
        subnet.prefix_len() == 24 && subnet.network() == subnet.addr() && !own.contains(&subnet);
    usable
        .then_some(())
        .ok_or(LabError::InvalidSubnet { subnet })
}

fn check_nodes(nodes: u8) -> Result<(), LabError> {
    (1..=MAX_NODES)
        .contains(&nodes)
        .then_some(())
        .ok_or(LabError::InvalidNodes { nodes })
}

fn check_roles(roles: &[Role]) -> Result<(), LabError> {
    let last = (b'a' + MAX_CLUSTERS - 1) as char;
    for (position, role) in roles.iter().enumerate() {
        let letter = role.as_str().parse::<char>();
        if !letter.is_ok_and(|letter| ('a'..=last).contains(&letter)) {
            return Err(LabError::InvalidLabRole { role: role.clone() });
        }
        if roles[..position].contains(role) {
            return Err(LabError::RepeatedRole { role: role.clone() });
        }
    }
    if roles.is_empty() {
        return Err(LabError::NoClusters);
    }
    Ok(())
}

fn check_gateways(request: &LabRequest) -> Result<(), LabError> {
    let stray = request
        .gateways
        .iter()
        .find(|(role, _)| !request.clusters.contains(role));
    match stray {
        Some((role, _)) => Err(LabError::UnknownRole { role: role.clone() }),
        None => Ok(()),
    }
}
