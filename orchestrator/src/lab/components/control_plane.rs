//! etcd, API server, controller manager, scheduler and the address giver: on a cluster's first node.

use super::{NodePlan, VOLUME_PLUGINS, flags};
use crate::lab::error::LabError;
use crate::lab::node::config::{Component, Gate};
use std::net::{Ipv4Addr, SocketAddr};

/// The project's own kinds are audited with their content, everything else with who did what.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: RequestResponse
    resources: [{group: tools.portproof.dev}]
  - level: Metadata
";
/// Where etcd serves, inside the node only.
const ETCD_PORT: u16 = 2379;

/// Writes the control plane's files; how its parts are started.
///
/// # Errors
/// A file cannot be written.
pub(super) fn components(plan: &NodePlan<'_>) -> Result<[Component; 5], LabError> {
    plan.write("audit-policy.yaml", AUDIT_POLICY)?;
    Ok([
        etcd(plan),
        api_server(plan),
        controller_manager(plan),
        scheduler(plan),
        address_giver(plan),
    ])
}

/// Throw-away data: nothing waits for the disk.
fn etcd(plan: &NodePlan<'_>) -> Component {
    let client = format!("http://127.0.0.1:{ETCD_PORT}");
    let peer = "http://127.0.0.1:2380".to_owned();
    let mut args = flags([
        ("data-dir", plan.files().etcd().display().to_string()),
        ("listen-client-urls", client.clone()),
        ("advertise-client-urls", client),
        ("listen-peer-urls", peer.clone()),
        ("initial-advertise-peer-urls", peer.clone()),
        ("initial-cluster", format!("default={peer}")),
        ("log-level", "warn".to_owned()),
    ]);
    args.push("--unsafe-no-fsync".to_owned());
    plan.component("etcd", Vec::new(), args)
}

fn api_server(plan: &NodePlan<'_>) -> Component {
    let etcd = SocketAddr::from((Ipv4Addr::LOCALHOST, ETCD_PORT));
    let mut args = flags([
        ("etcd-servers", format!("http://{etcd}")),
        ("advertise-address", plan.cluster.address().to_string()),
        ("bind-address", "0.0.0.0".to_owned()),
        ("secure-port", plan.cluster.api().port().to_string()),
        (
            "service-cluster-ip-range",
            plan.cluster.service_range().to_string(),
        ),
        ("authorization-mode", "Node,RBAC".to_owned()),
        ("enable-admission-plugins", "NodeRestriction".to_owned()),
        ("allow-privileged", "true".to_owned()),
        ("kubelet-preferred-address-types", "InternalIP".to_owned()),
        ("cert-dir", "/run/kubernetes".to_owned()),
    ]);
    args.extend(api_certificates(plan));
    args.extend(api_audit(plan));
    plan.component("kube-apiserver", vec![Gate::Tcp(etcd)], args)
}

fn api_certificates(plan: &NodePlan<'_>) -> Vec<String> {
    flags([
        ("client-ca-file", plan.pki("ca.crt")),
        ("tls-cert-file", plan.pki("apiserver.crt")),
        ("tls-private-key-file", plan.pki("apiserver.key")),
        (
            "service-account-issuer",
            "https://kubernetes.default.svc.cluster.local".to_owned(),
        ),
        ("service-account-key-file", plan.pki("sa.pub")),
        ("service-account-signing-key-file", plan.pki("sa.key")),
        ("kubelet-certificate-authority", plan.pki("ca.crt")),
        (
            "kubelet-client-certificate",
            plan.pki("apiserver-kubelet-client.crt"),
        ),
        (
            "kubelet-client-key",
            plan.pki("apiserver-kubelet-client.key"),
        ),
        ("proxy-client-cert-file", plan.pki("front-proxy.crt")),
        ("proxy-client-key-file", plan.pki("front-proxy.key")),
        ("requestheader-client-ca-file", plan.pki("ca.crt")),
        ("requestheader-allowed-names", "front-proxy".to_owned()),
        ("requestheader-username-headers", "X-Remote-User".to_owned()),
        ("requestheader-group-headers", "X-Remote-Group".to_owned()),
        (
            "requestheader-extra-headers-prefix",
            "X-Remote-Extra-".to_owned(),
        ),
    ])
}

fn api_audit(plan: &NodePlan<'_>) -> Vec<String> {
    let log = plan.paths.audit_log(&plan.cluster.role);
    flags([
        (
            "audit-policy-file",
            plan.etc("audit-policy.yaml").display().to_string(),
        ),
        ("audit-log-path", log.display().to_string()),
        ("audit-log-maxsize", "200".to_owned()),
        ("audit-log-maxbackup", "2".to_owned()),
    ])
}

/// Its usual 20 requests a second would hold its start up for 3 s: each controller asks for an account of its own.
fn controller_manager(plan: &NodePlan<'_>) -> Component {
    let mut args = flags([
        ("kubeconfig", plan.pki("controller-manager.kubeconfig")),
        ("service-account-private-key-file", plan.pki("sa.key")),
        ("root-ca-file", plan.pki("ca.crt")),
        ("cluster-signing-cert-file", plan.pki("ca.crt")),
        ("cluster-signing-key-file", plan.pki("ca.key")),
        ("tls-cert-file", plan.pki("controller-manager.crt")),
        ("tls-private-key-file", plan.pki("controller-manager.key")),
        ("cluster-cidr", plan.cluster.pod_range().to_string()),
        ("flex-volume-plugin-dir", VOLUME_PLUGINS.to_owned()),
        ("bind-address", "127.0.0.1".to_owned()),
        ("leader-elect", "false".to_owned()),
        ("kube-api-qps", "1000".to_owned()),
        ("kube-api-burst", "1000".to_owned()),
    ]);
    args.push("--use-service-account-credentials".to_owned());
    plan.component("kube-controller-manager", vec![plan.api_ready()], args)
}

fn scheduler(plan: &NodePlan<'_>) -> Component {
    let args = flags([
        ("kubeconfig", plan.pki("scheduler.kubeconfig")),
        ("tls-cert-file", plan.pki("scheduler.crt")),
        ("tls-private-key-file", plan.pki("scheduler.key")),
        ("bind-address", "127.0.0.1".to_owned()),
        ("leader-elect", "false".to_owned()),
    ]);
    plan.component("kube-scheduler", vec![plan.api_ready()], args)
}

fn address_giver(plan: &NodePlan<'_>) -> Component {
    let mut args = vec!["lab-address-giver".to_owned()];
    args.extend(flags([(
        "kubeconfig",
        plan.pki("address-giver.kubeconfig"),
    )]));
    let addresses = plan.cluster.load_balancer_addresses();
    args.extend(
        addresses
            .iter()
            .map(|address| format!("--address={address}")),
    );
    Component {
        name: "address-giver".to_owned(),
        program: plan.program.to_owned(),
        args,
        after: vec![plan.api_ready()],
    }
}
