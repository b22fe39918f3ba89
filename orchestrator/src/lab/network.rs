//! The lab's bridge and the links of its nodes, seen from the host. Nothing here forwards a packet: the host's
//! `ip_forward` stays as it is, and nodes drop what is not for the lab (see `node::netns`).

use super::command;
use super::error::LabError;
use super::paths::LabPaths;
use super::spec::{LabSpec, NodeSpec};
use ipnet::Ipv4Net;
use serde::Deserialize;
use std::net::Ipv4Addr;
use std::path::Path;

/// The node's end of its link, inside the node.
pub(crate) const NODE_LINK: &str = "eth0";

/// Whose a link of the lab's name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkOwner {
    Nobody,
    ThisLab,
    Other,
}

/// A link is marked as this lab's by its alias, which is the lab's directory.
pub(crate) fn owner(name: &str, paths: &LabPaths) -> LinkOwner {
    let link = Path::new("/sys/class/net").join(name);
    if !link.exists() {
        return LinkOwner::Nobody;
    }
    let alias = std::fs::read_to_string(link.join("ifalias")).unwrap_or_default();
    if alias.trim() == alias_of(paths) {
        LinkOwner::ThisLab
    } else {
        LinkOwner::Other
    }
}

/// All links that are this lab's.
pub(crate) fn links_of(paths: &LabPaths) -> Vec<String> {
    let entries = std::fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| owner(name, paths) == LinkOwner::ThisLab)
        .collect()
}

fn alias_of(paths: &LabPaths) -> String {
    format!("portproof-lab:{}", paths.root().display())
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    ifname: String,
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    local: Option<Ipv4Addr>,
    prefixlen: u8,
}

#[derive(Deserialize)]
struct Route {
    dst: String,
    #[serde(default)]
    dev: String,
}

/// Fails when another link of the host has addresses or routes in the lab's subnet.
///
/// # Errors
/// [`LabError::SubnetTaken`].
pub(crate) async fn check_subnet(spec: &LabSpec) -> Result<(), LabError> {
    let addresses = command::run("ip", &["-4", "-json", "address", "show"]).await?;
    let routes = command::run("ip", &["-4", "-json", "route", "show", "table", "all"]).await?;
    let used = used_ranges(&addresses, &routes).map_err(|source| LabError::Damaged {
        path: "the output of `ip -json`".into(),
        source,
    })?;
    match conflict(spec, &used) {
        Some((link, taken)) => Err(LabError::SubnetTaken {
            subnet: spec.subnet,
            taken: taken.to_string(),
            link: link.clone(),
        }),
        None => Ok(()),
    }
}

fn conflict<'a>(spec: &LabSpec, used: &'a [(String, Ipv4Net)]) -> Option<&'a (String, Ipv4Net)> {
    used.iter().find(|(link, range)| {
        let overlaps = range.contains(&spec.subnet.network()) || spec.subnet.contains(range);
        *link != spec.bridge() && range.prefix_len() > 0 && overlaps
    })
}

fn used_ranges(addresses: &str, routes: &str) -> serde_json::Result<Vec<(String, Ipv4Net)>> {
    let links: Vec<Link> = serde_json::from_str(addresses)?;
    let routes: Vec<Route> = serde_json::from_str(routes)?;
    let own = links.iter().flat_map(|link| {
        link.addr_info.iter().filter_map(|address| {
            let range = Ipv4Net::new(address.local?, address.prefixlen).ok()?;
            Some((link.ifname.clone(), range))
        })
    });
    let reached = routes
        .iter()
        .filter_map(|route| Some((route.dev.clone(), destination(&route.dst)?)));
    Ok(own.chain(reached).collect())
}

/// `ip` leaves the prefix out for a single address and calls 0.0.0.0/0 `default`.
fn destination(text: &str) -> Option<Ipv4Net> {
    let single = || text.parse::<Ipv4Addr>().ok().map(Ipv4Net::from);
    text.parse().ok().or_else(single)
}

/// Makes the bridge, or completes what an ended command left of it.
///
/// # Errors
/// `ip` refuses, for example because the kernel has no bridges.
pub(crate) async fn ensure_bridge(spec: &LabSpec, paths: &LabPaths) -> Result<(), LabError> {
    let (bridge, alias) = (spec.bridge(), alias_of(paths));
    let address = format!("{}/{}", spec.bridge_address(), spec.subnet.prefix_len());
    let mut batch = Vec::new();
    if owner(&bridge, paths) == LinkOwner::Nobody {
        batch.push(format!("link add name {bridge} type bridge"));
        batch.push(format!("link set dev {bridge} alias {alias}"));
    }
    batch.push(format!("address replace {address} dev {bridge}"));
    batch.push(format!("link set dev {bridge} up"));
    run_batch(&batch).await
}

/// Links a node to the bridge: one end on the host, the other named [`NODE_LINK`] in the namespace of `init`.
///
/// # Errors
/// `ip` refuses, or the init is gone.
pub(crate) async fn attach(
    spec: &LabSpec,
    paths: &LabPaths,
    node: &NodeSpec,
    init: i32,
) -> Result<(), LabError> {
    let (link, bridge, alias) = (spec.link(node), spec.bridge(), alias_of(paths));
    let mut batch = Vec::new();
    if owner(&link, paths) == LinkOwner::Nobody {
        batch.push(format!(
            "link add name {link} type veth peer name {NODE_LINK} netns {init}"
        ));
        batch.push(format!("link set dev {link} alias {alias}"));
    }
    batch.push(format!("link set dev {link} master {bridge} up"));
    run_batch(&batch).await
}

/// Removes a link if it is this lab's. A link of a node that has just ended may vanish by itself meanwhile.
///
/// # Errors
/// `ip` refuses and the link is still there.
pub(crate) async fn remove(name: &str, paths: &LabPaths) -> Result<(), LabError> {
    if owner(name, paths) != LinkOwner::ThisLab {
        return Ok(());
    }
    let removed = command::run("ip", &["link", "delete", "dev", name]).await;
    match removed {
        Err(error) if owner(name, paths) == LinkOwner::ThisLab => Err(error),
        _ => Ok(()),
    }
}

async fn run_batch(lines: &[String]) -> Result<(), LabError> {
    command::run_with_input("ip", &["-batch", "-"], &(lines.join("\n") + "\n")).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::spec::LabRequest;
    use crate::verify::Role;

    const ADDRESSES: &str = r#"[{"ifname":"eth0","addr_info":[{"local":"192.0.2.7","prefixlen":24}]},
        {"ifname":"vpn","addr_info":[{"local":"172.31.9.1","prefixlen":16}]},{}]"#;
    const NONE: &str = "[]";

    fn spec(subnet: &str) -> LabSpec {
        LabSpec::new(&LabRequest {
            name: "test".to_owned(),
            subnet: subnet.parse().unwrap(),
            clusters: vec![Role::new("a").unwrap()],
            gateways: Vec::new(),
            nodes: 1,
        })
        .unwrap()
    }

    fn link_in_the_way(subnet: &str, addresses: &str, routes: &str) -> Option<String> {
        let used = used_ranges(addresses, routes).unwrap();
        conflict(&spec(subnet), &used).map(|(link, _)| link.clone())
    }

    #[test]
    fn a_larger_range_around_the_subnet_is_a_conflict() {
        assert_eq!(
            link_in_the_way("172.31.0.0/24", ADDRESSES, NONE).as_deref(),
            Some("vpn")
        );
        assert_eq!(link_in_the_way("192.168.77.0/24", ADDRESSES, NONE), None);
    }

    #[test]
    fn a_route_into_the_subnet_is_a_conflict_and_a_default_route_is_not() {
        let routes = r#"[{"dst":"default","dev":"eth0"},{"dst":"172.31.0.9","dev":"tun0"}]"#;
        assert_eq!(
            link_in_the_way("172.31.0.0/24", NONE, routes).as_deref(),
            Some("tun0")
        );
        assert_eq!(link_in_the_way("172.30.0.0/24", NONE, routes), None);
    }

    #[test]
    fn the_labs_own_bridge_is_not_in_its_way() {
        let own = r#"[{"ifname":"test0","addr_info":[{"local":"172.31.0.1","prefixlen":24}]}]"#;
        assert_eq!(link_in_the_way("172.31.0.0/24", own, NONE), None);
    }
}
