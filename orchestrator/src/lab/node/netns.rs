//! A node's network from the inside: addresses, routes, and the rule that keeps its packets in the lab.

use super::config::NodeNetwork;
use crate::lab::command;
use crate::lab::error::LabError;
use crate::lab::network::NODE_LINK;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long the host may take to give the node its link.
const LINK_WAIT: Duration = Duration::from_secs(10);

/// Waits for the node's link and sets everything up on it.
///
/// # Errors
/// There is no link in time, or the kernel refuses.
pub(super) fn set_up(network: &NodeNetwork) -> Result<(), LabError> {
    wait_for_link()?;
    feed("ip", &["-batch", "-"], &addresses(network))?;
    feed("nft", &["-f", "-"], &rules(network))?;
    let forward = Path::new("/proc/sys/net/ipv4/ip_forward");
    fs::write(forward, "1").map_err(LabError::io("cannot write", forward))
}

fn wait_for_link() -> Result<(), LabError> {
    let end = Instant::now() + LINK_WAIT;
    while !has_link(&fs::read_to_string("/proc/self/net/dev").unwrap_or_default()) {
        if Instant::now() > end {
            return Err(LabError::NotReady {
                what: format!("the link {NODE_LINK}"),
                waited: LINK_WAIT,
                last: "the host has not made it".to_owned(),
                log: PathBuf::from("/proc/self/net/dev"),
            });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn has_link(table: &str) -> bool {
    let wanted = format!("{NODE_LINK}:");
    table
        .lines()
        .any(|line| line.trim_start().starts_with(&wanted))
}

fn addresses(network: &NodeNetwork) -> String {
    let (link, address) = (NODE_LINK, network.address);
    let prefix = network.subnet.prefix_len();
    let mut batch = vec![format!("address add {address}/{prefix} dev {link}")];
    let extra = network.extra_addresses.iter();
    batch.extend(extra.map(|extra| format!("address add {extra}/32 dev {link}")));
    batch.push("link set dev lo up".to_owned());
    batch.push(format!("link set dev {link} up"));
    batch.push(format!(
        "route add default via {} src {address}",
        network.router
    ));
    let routes = network.routes.iter();
    batch.extend(routes.map(|(range, via)| format!("route add {range} via {via} src {address}")));
    batch.join("\n") + "\n"
}

/// Packets leave the node for the lab's subnet and the cluster's own pods, for nothing else. Pods keep their addresses
/// among themselves, across nodes too, and get the node's for everything beyond, which knows no way to pods.
fn rules(network: &NodeNetwork) -> String {
    let NodeNetwork {
        subnet, pod_range, ..
    } = network;
    format!(
        "table inet portproof {{
    chain leaving {{
        type filter hook postrouting priority filter; policy accept;
        oifname \"{NODE_LINK}\" ip daddr {{ {subnet}, {pod_range} }} accept
        oifname \"{NODE_LINK}\" counter drop
    }}
    chain translate {{
        type nat hook postrouting priority srcnat; policy accept;
        oifname \"{NODE_LINK}\" ip saddr {pod_range} ip daddr != {pod_range} masquerade
    }}
}}
"
    )
}

/// The init reaps every child of the node itself, so programs are run here without an asynchronous runtime.
fn feed(program: &str, args: &[&str], input: &str) -> Result<(), LabError> {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .and_then(|mut child| {
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(input.as_bytes())?;
            }
            child.wait_with_output()
        });
    command::checked(program, args, output).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> NodeNetwork {
        NodeNetwork {
            address: "172.31.0.11".parse().unwrap(),
            subnet: "172.31.0.0/24".parse().unwrap(),
            router: "172.31.0.1".parse().unwrap(),
            extra_addresses: vec!["172.31.0.100".parse().unwrap()],
            pod_range: "10.41.0.0/16".parse().unwrap(),
            service_range: "10.51.0.0/16".parse().unwrap(),
            routes: vec![(
                "10.41.1.0/24".parse().unwrap(),
                "172.31.0.21".parse().unwrap(),
            )],
        }
    }

    #[test]
    fn the_link_is_found_among_others() {
        let table = "Inter-|   Receive\n    lo: 0 0\n  eth0: 5 5\n";
        assert!(has_link(table));
        assert!(!has_link("    lo: 0 0\n veth0: 1 1\n"));
    }

    #[test]
    fn the_batch_gives_every_address_and_route() {
        insta::assert_snapshot!(addresses(&network()), @"
        address add 172.31.0.11/24 dev eth0
        address add 172.31.0.100/32 dev eth0
        link set dev lo up
        link set dev eth0 up
        route add default via 172.31.0.1 src 172.31.0.11
        route add 10.41.1.0/24 via 172.31.0.21 src 172.31.0.11
        ");
    }

    #[test]
    fn what_is_not_for_the_lab_is_dropped_after_what_is() {
        let rules = rules(&network());
        let accept = rules
            .find("ip daddr { 172.31.0.0/24, 10.41.0.0/16 } accept")
            .unwrap();
        assert!(accept < rules.find("counter drop").unwrap());
    }
}
