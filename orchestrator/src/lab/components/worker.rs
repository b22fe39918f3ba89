//! kubelet, kube-proxy and kube-router: on every node.

use super::{CONTAINERD_SOCKET, NodePlan, VOLUME_PLUGINS, flags};
use crate::lab::error::LabError;
use crate::lab::node::config::{Component, Gate};
use serde_json::json;

/// Writes kubelet's configuration; how the node's parts are started.
///
/// # Errors
/// A file cannot be written.
pub(super) fn components(plan: &NodePlan<'_>) -> Result<[Component; 3], LabError> {
    plan.write("kubelet.yaml", &kubelet_config(plan))?;
    Ok([kubelet(plan), kube_proxy(plan), kube_router(plan)])
}

fn kubelet(plan: &NodePlan<'_>) -> Component {
    let kubeconfig = format!("kubelet-{}.kubeconfig", plan.node.name);
    let args = flags([
        ("config", plan.etc("kubelet.yaml").display().to_string()),
        ("kubeconfig", plan.pki(&kubeconfig)),
        ("hostname-override", plan.node.name.clone()),
        ("node-ip", plan.node.address.to_string()),
        ("cert-dir", "/run/kubelet".to_owned()),
    ]);
    let after = vec![Gate::Socket(CONTAINERD_SOCKET.into()), plan.api_ready()];
    plan.component("kubelet", after, args)
}

/// Kubelets that share a cgroup root end each other's pods: `cgroupRoot`. Nothing is garbage collected, because no
/// image can be pulled again. It is JSON, which is YAML too.
fn kubelet_config(plan: &NodePlan<'_>) -> String {
    let certificate = format!("kubelet-{}", plan.node.name);
    let value = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": false,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", plan.lab.cgroup(plan.node)),
        "failSwapOn": false,
        "containerRuntimeEndpoint": format!("unix://{CONTAINERD_SOCKET}"),
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": plan.pki("ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "clusterDNS": [plan.cluster.dns().to_string()],
        "clusterDomain": "cluster.local",
        "tlsCertFile": plan.pki(&format!("{certificate}.crt")),
        "tlsPrivateKeyFile": plan.pki(&format!("{certificate}.key")),
        "resolvConf": "/dev/null",
        "enforceNodeAllocatable": [],
        "evictionHard": {
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "memory.available": "100Mi",
        },
        "imageGCHighThresholdPercent": 100,
        "nodeStatusUpdateFrequency": "2s",
        "syncFrequency": "5s",
        "volumePluginDir": VOLUME_PLUGINS,
    });
    format!("{value:#}\n")
}

fn kube_proxy(plan: &NodePlan<'_>) -> Component {
    let args = flags([
        ("kubeconfig", plan.pki("kube-proxy.kubeconfig")),
        ("hostname-override", plan.node.name.clone()),
        ("proxy-mode", "nftables".to_owned()),
        ("cluster-cidr", plan.cluster.pod_range().to_string()),
        ("conntrack-max-per-core", "0".to_owned()),
    ]);
    plan.component("kube-proxy", vec![plan.api_ready()], args)
}

/// Only its NetworkPolicy half. What a policy forbids is refused at once (REJECT). It ends when its node is unknown.
fn kube_router(plan: &NodePlan<'_>) -> Component {
    let args = flags([
        ("kubeconfig", plan.pki("kube-router.kubeconfig")),
        ("hostname-override", plan.node.name.clone()),
        ("run-firewall", "true".to_owned()),
        ("run-router", "false".to_owned()),
        ("run-service-proxy", "false".to_owned()),
        ("enable-cni", "false".to_owned()),
        (
            "service-cluster-ip-range",
            plan.cluster.service_range().to_string(),
        ),
    ]);
    let registered = Gate::Registered {
        kubeconfig: plan.pki("kube-router.kubeconfig").into(),
        node: plan.node.name.clone(),
    };
    plan.component("kube-router", vec![plan.api_ready(), registered], args)
}
