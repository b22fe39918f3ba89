use super::*;
use crate::lab::addons::AddonImages;
use crate::lab::node::status::{ComponentState, ComponentStatus};
use crate::lab::spec::{GatewayKind, LabRequest, LabSpec};
use crate::verify::Role;

const WITHIN: Duration = Duration::from_mins(5);

/// One cluster that runs, as its files tell.
struct Scene {
    paths: LabPaths,
    state: LabState,
    cluster: ClusterSpec,
    addons: AddonSpec,
    _root: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let spec = LabSpec::new(&LabRequest {
            name: "test".to_owned(),
            subnet: LabSpec::default_subnet(),
            clusters: vec![Role::new("a").unwrap()],
            gateways: Vec::new(),
            nodes: 1,
        })
        .unwrap();
        let cluster = spec.clusters[0].clone();
        let mut state = LabState::new(spec);
        state.announce(&cluster);
        let scene = Self {
            paths: LabPaths::new(root.path()),
            addons: addons(&cluster),
            cluster,
            state,
            _root: root,
        };
        scene.component_started_again(0);
        files::directory(&scene.paths.cluster(&scene.cluster.role)).unwrap();
        scene.now().keep(&scene.cluster, &scene.paths).unwrap();
        scene
    }

    fn component_started_again(&self, restarts: u32) {
        let component = ComponentStatus {
            name: "etcd".to_owned(),
            state: ComponentState::Running,
            pid: Some(7),
            started: None,
            restarts,
            last_exit: None,
        };
        let status = NodeStatus {
            components: vec![component],
        };
        let node = self.paths.node(&self.cluster.nodes()[0]);
        files::directory(node.root()).unwrap();
        files::replace_json(&node.status(), &status).unwrap();
    }

    fn now(&self) -> Subject {
        Subject::now(&self.cluster, &self.addons, &self.state, &self.paths).unwrap()
    }

    fn seen(&self, within: Duration) -> bool {
        let seen = self.now().seen(&self.cluster, &self.paths, within);
        seen.is_some()
    }

    /// As if the look had been at another time.
    fn look_was(&self, ago: SignedDuration) {
        let proof = Proof {
            at: Timestamp::now() - ago,
            subject: self.now(),
        };
        files::replace_json(&self.paths.proof(&self.cluster.role), &proof).unwrap();
    }
}

fn addons(cluster: &ClusterSpec) -> AddonSpec {
    let image = || "image:1".to_owned();
    AddonSpec {
        cluster: "a".to_owned(),
        gateway: GatewayKind::Traefik,
        dns_address: cluster.dns(),
        images: AddonImages {
            coredns: image(),
            traefik: image(),
            envoy_gateway: image(),
            envoy: image(),
            probe: image(),
        },
        gateway_api: "/gateway-api".into(),
    }
}

#[test]
fn what_was_just_seen_to_work_need_not_be_seen_again_unless_it_has_to_be_now() {
    let scene = Scene::new();
    assert!(scene.seen(WITHIN));
    assert!(!scene.seen(Duration::ZERO));
}

#[test]
fn an_old_look_and_one_that_is_still_to_come_are_none() {
    let scene = Scene::new();
    for (ago, seen) in [(299, true), (301, false), (-60, false)] {
        scene.look_was(SignedDuration::from_secs(ago));
        assert_eq!(scene.seen(WITHIN), seen, "{ago} s ago");
    }
}

#[test]
fn a_component_that_was_started_again_makes_the_look_void() {
    let scene = Scene::new();
    scene.component_started_again(1);
    assert!(!scene.seen(WITHIN));
}

#[test]
fn a_node_that_was_started_again_makes_the_look_void() {
    let mut scene = Scene::new();
    scene.state.announce(&scene.cluster);
    assert!(!scene.seen(WITHIN));
}

#[test]
fn other_add_ons_were_not_looked_at() {
    let mut scene = Scene::new();
    scene.addons.images.probe = "image:2".to_owned();
    assert!(!scene.seen(WITHIN));
}

#[test]
fn a_damaged_or_missing_record_is_none() {
    let scene = Scene::new();
    let file = scene.paths.proof(&scene.cluster.role);
    std::fs::write(&file, "{").unwrap();
    assert!(!scene.seen(WITHIN));
    std::fs::remove_file(&file).unwrap();
    assert!(!scene.seen(WITHIN));
}
