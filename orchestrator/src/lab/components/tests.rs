use super::*;
use crate::lab::spec::LabRequest;
use crate::verify::Role;

fn lab(nodes: u8) -> LabSpec {
    LabSpec::new(&LabRequest {
        name: "portproof".to_owned(),
        subnet: LabSpec::DEFAULT_SUBNET.parse().unwrap(),
        clusters: vec![Role::new("b").unwrap()],
        gateways: Vec::new(),
        nodes,
    })
    .unwrap()
}

/// The configuration of a node, and a file of its `etc` directory.
fn prepared(
    nodes: u8,
    number: usize,
    may_lower_oom_score: bool,
) -> (NodeConfig, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let lab = lab(nodes);
    let plan = NodePlan {
        lab: &lab,
        cluster: &lab.clusters[0],
        node: &lab.nodes()[number - 1],
        paths: &LabPaths::new(dir.path()),
        binaries: Path::new("/opt/bin"),
        program: Path::new("/usr/bin/portproof"),
        pause_image: "docker.io/portproof/pause:1",
        may_lower_oom_score,
    };
    (plan.prepare(Vec::new()).unwrap(), dir)
}

fn names(config: &NodeConfig) -> Vec<&str> {
    config
        .components
        .iter()
        .map(|component| component.name.as_str())
        .collect()
}

#[test]
fn the_first_node_carries_the_control_plane_and_the_others_do_not() {
    let (first, _dir) = prepared(2, 1, true);
    let (second, _other) = prepared(2, 2, true);
    assert!(names(&first).contains(&"kube-apiserver"));
    assert_eq!(
        names(&second),
        ["containerd", "kubelet", "kube-proxy", "kube-router"]
    );
}

#[test]
fn nodes_know_the_way_to_each_others_pods() {
    let (second, _dir) = prepared(2, 2, true);
    let way = (
        "10.42.0.0/24".parse().unwrap(),
        "172.31.0.12".parse().unwrap(),
    );
    assert_eq!(second.network.routes, [way]);
    assert!(second.network.extra_addresses.is_empty());
}

#[test]
fn oom_scores_are_restricted_only_where_the_machine_refuses_to_lower_them() {
    for (may_lower, expected) in [
        (true, "restrict_oom_score_adj = false"),
        (false, "restrict_oom_score_adj = true"),
    ] {
        let (_config, dir) = prepared(1, 1, may_lower);
        let toml =
            std::fs::read_to_string(dir.path().join("nodes/b-1/etc/containerd.toml")).unwrap();
        assert!(toml.contains(expected));
    }
}

#[test]
fn every_program_a_node_starts_is_one_that_is_checked_for() {
    let (config, _dir) = prepared(1, 1, true);
    for component in config
        .components
        .iter()
        .filter(|component| component.name != "address-giver")
    {
        let file = component.program.file_name().unwrap().to_str().unwrap();
        assert!(BINARIES.contains(&file), "{file}");
    }
}

#[test]
fn the_command_lines_of_a_control_plane_are_as_reviewed() {
    let (config, dir) = prepared(1, 1, true);
    let root = dir.path().display().to_string();
    let lines: Vec<String> = config
        .components
        .iter()
        .map(|component| format!("{} {}", component.name, component.args.join("\n    ")))
        .collect();
    insta::assert_snapshot!(lines.join("\n").replace(&root, "LAB"));
}
