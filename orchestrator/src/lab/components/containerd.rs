//! containerd with runc and gVisor's runsc, and the pods' network (CNI `ptp`: every packet is routed, so policies
//! see it).

use super::{CONTAINERD_SOCKET, NodePlan};
use crate::lab::error::LabError;
use crate::lab::node::config::Component;
use serde_json::json;

/// Snapshotters the lab does not use; each would look for its tools at start.
const UNUSED: &str = r#"["io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.erofs", "io.containerd.snapshotter.v1.zfs", "io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp"]"#;

/// Writes containerd's files; how it is started.
///
/// # Errors
/// A file cannot be written.
pub(super) fn component(plan: &NodePlan<'_>) -> Result<Component, LabError> {
    plan.write("containerd.toml", &containerd_toml(plan))?;
    plan.write("runsc.toml", &runsc_toml(plan))?;
    plan.write("cni/10-ptp.conflist", &conflist(plan))?;
    let config = plan.etc("containerd.toml").display().to_string();
    Ok(plan.component(
        "containerd",
        Vec::new(),
        vec!["--config".to_owned(), config],
    ))
}

/// AppArmor profiles stay in the kernel when a node ends, so none is loaded. `opt` would be made on the host.
fn containerd_toml(plan: &NodePlan<'_>) -> String {
    let binaries = plan.binaries.display();
    let runc = plan.binary("runc");
    let restrict = !plan.may_lower_oom_score;
    format!(
        r#"version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = {UNUSED}

[grpc]
address = "{CONTAINERD_SOCKET}"

[plugins.'io.containerd.internal.v1.opt']
path = "/var/lib/containerd/opt"

[plugins.'io.containerd.cri.v1.images']
snapshotter = "overlayfs"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "{pause}"

[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = {restrict}
disable_apparmor = true
cdi_spec_dirs = ["/run/cdi"]

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["{binaries}"]
conf_dir = "{cni}"

[plugins.'io.containerd.cri.v1.runtime'.containerd]
default_runtime_name = "runc"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = "{runc}"
SystemdCgroup = false

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runsc]
runtime_type = "io.containerd.runsc.v1"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runsc.options]
TypeUrl = "io.containerd.runsc.v1.options"
ConfigPath = "{runsc}"
"#,
        pause = plan.pause_image,
        cni = plan.etc("cni").display(),
        runc = runc.display(),
        runsc = plan.etc("runsc.toml").display(),
    )
}

fn runsc_toml(plan: &NodePlan<'_>) -> String {
    let runsc = plan.binary("runsc");
    format!(
        "binary_name = \"{}\"\n[runsc_config]\nplatform = \"systrap\"\n",
        runsc.display()
    )
}

/// `ptp`'s own masquerading would hide pod addresses across nodes, so the node does it (see `node::netns`).
fn conflist(plan: &NodePlan<'_>) -> String {
    let value = json!({
        "cniVersion": "1.0.0",
        "name": "portproof",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": false,
                "mtu": 1500,
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/run/cni-ipam",
                    "ranges": [[{"subnet": plan.node.pod_range.to_string()}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    });
    format!("{value:#}\n")
}
