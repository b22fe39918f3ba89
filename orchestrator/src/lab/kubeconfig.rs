//! Kubeconfig files that hold their certificates, so that one file is enough.

use super::spec::ClusterSpec;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

/// A client certificate, its key and the authority to check the server by; all PEM.
pub(crate) struct Credentials {
    pub(crate) authority: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// The text of a kubeconfig with one context, named `portproof-lab-<role>`. It is JSON, which is YAML too.
pub(crate) fn render(cluster: &ClusterSpec, credentials: &Credentials) -> String {
    let name = format!("portproof-lab-{}", cluster.role);
    let value = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {
            "server": format!("https://{}", cluster.api()),
            "certificate-authority-data": STANDARD.encode(&credentials.authority),
        }}],
        "users": [{"name": name, "user": {
            "client-certificate-data": STANDARD.encode(&credentials.certificate),
            "client-key-data": STANDARD.encode(&credentials.key),
        }}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    });
    format!("{value:#}\n")
}
