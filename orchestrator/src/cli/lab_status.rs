//! The lab's status for a person.

use crate::lab::node::status::ComponentState;
use crate::lab::status::{ClusterStatus, ComponentReport, LabStatus, NodeReport};

/// The whole text.
pub(super) fn render(status: &LabStatus) -> String {
    let clusters: Vec<String> = status.clusters.iter().map(cluster).collect();
    let remarks = status.remarks.join("\nnote: ");
    format!(
        "{}\nmemory of all nodes: {}\nnote: {remarks}\nlab directory: {}\n",
        clusters.join("\n"),
        mebibytes(Some(status.memory_bytes)),
        status.directory.display(),
    )
}

fn cluster(cluster: &ClusterStatus) -> String {
    let version = match &cluster.version {
        Ok(version) => format!("Kubernetes {version}"),
        Err(reason) => format!("no answer from its API server ({reason})"),
    };
    let nodes: String = cluster.nodes.iter().map(node).collect();
    format!(
        "cluster {}: {version}, gateway {}\n  api         {}\n  kubeconfig  {}\n  audit log   {}\n{nodes}",
        cluster.role,
        cluster.gateway,
        cluster.api,
        cluster.kubeconfig.display(),
        cluster.audit_log.display(),
    )
}

fn node(node: &NodeReport) -> String {
    let init = match node.init {
        Some(pid) => format!("init {pid}"),
        None => "NOT RUNNING".to_owned(),
    };
    let components: String = node.components.iter().map(component).collect();
    format!(
        "  node {} ({}): {init}, memory {}, logs {}\n{components}",
        node.name,
        node.address,
        mebibytes(node.memory_bytes),
        node.logs.display(),
    )
}

fn component(component: &ComponentReport) -> String {
    let state = match component.state {
        ComponentState::Running => "running",
        ComponentState::Waiting => "WAITING",
        ComponentState::Restarting => "RESTARTING",
    };
    let last = component
        .last_exit
        .as_deref()
        .map(|exit| format!(", last: {exit}"))
        .unwrap_or_default();
    let line = format!(
        "    {:<24} {state:<10} {:>8}  restarts {}{last}",
        component.name,
        mebibytes(component.memory_bytes),
        component.restarts,
    );
    format!("{line}\n")
}

fn mebibytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(
        || "-".to_owned(),
        |bytes| format!("{} MiB", bytes / (1024 * 1024)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::spec::GatewayKind;
    use crate::verify::Role;

    #[test]
    fn a_dead_node_and_a_restarting_component_stand_out() {
        let status = LabStatus {
            directory: "/lab".into(),
            memory_bytes: 5 << 20,
            remarks: vec!["it is a test".to_owned()],
            clusters: vec![ClusterStatus {
                role: Role::new("a").unwrap(),
                gateway: GatewayKind::Traefik,
                api: "https://172.31.0.11:6443".to_owned(),
                version: Err("timeout".to_owned()),
                kubeconfig: "/lab/kubeconfig".into(),
                audit_log: "/lab/audit.log".into(),
                nodes: vec![NodeReport {
                    name: "a-1".to_owned(),
                    address: "172.31.0.11".parse().unwrap(),
                    init: None,
                    memory_bytes: None,
                    logs: "/lab/log".into(),
                    components: vec![ComponentReport {
                        name: "etcd".to_owned(),
                        state: ComponentState::Restarting,
                        pid: None,
                        memory_bytes: None,
                        restarts: 4,
                        last_exit: Some("signal 9".to_owned()),
                    }],
                }],
            }],
        };
        insta::assert_snapshot!(render(&status), @r"
        cluster a: no answer from its API server (timeout), gateway traefik
          api         https://172.31.0.11:6443
          kubeconfig  /lab/kubeconfig
          audit log   /lab/audit.log
          node a-1 (172.31.0.11): NOT RUNNING, memory -, logs /lab/log
            etcd                     RESTARTING        -  restarts 4, last: signal 9

        memory of all nodes: 5 MiB
        note: it is a test
        lab directory: /lab
        ");
    }
}
