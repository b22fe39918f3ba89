//! What lets the stack in at a model server outside of it. The control agent may neither write nor read Secrets, so its key is
//! put into the namespace before the agent is there.

use super::Bootstrap;
use super::manifests::namespaced;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use portproof_proto::names;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

/// The key of a model server and the authorities that may vouch for it, where it needs them.
#[derive(Clone, Debug, Default)]
pub struct UpstreamAccess {
    /// Its key.
    pub key: Option<SecretString>,
    /// Certificates of the authorities, as PEM.
    pub authorities: Option<String>,
}

impl UpstreamAccess {
    /// Name of the Secret with the key.
    pub fn key_secret(&self) -> Option<&'static str> {
        self.key.as_ref().map(|_| names::UPSTREAM)
    }

    /// Name of the ConfigMap with the authorities.
    pub fn authorities_config_map(&self) -> Option<&'static str> {
        self.authorities.as_ref().map(|_| names::UPSTREAM)
    }

    /// The objects that hold both.
    pub(super) fn objects(&self, plan: &Bootstrap) -> impl Iterator<Item = Value> {
        let key = self.key.as_ref().map(|key| {
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": namespaced(plan, names::UPSTREAM),
                "data": {names::UPSTREAM_KEY: BASE64_STANDARD.encode(key.expose_secret())},
            })
        });
        let authorities = self.authorities.as_ref().map(|pem| {
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": namespaced(plan, names::UPSTREAM),
                "data": {names::UPSTREAM_AUTHORITIES: pem},
            })
        });
        key.into_iter().chain(authorities)
    }
}
