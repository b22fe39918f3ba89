//! The kinds of objects the agent knows.

use serde_json::Value;

/// A kind of object and where the API server keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// `apiVersion` of its objects.
    pub(crate) api_version: &'static str,
    /// `kind` of its objects.
    #[expect(
        clippy::struct_field_names,
        reason = "the name of the member in every object"
    )]
    pub(crate) kind: &'static str,
    /// Last part of its path.
    pub(crate) plural: &'static str,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $api_version:literal $kind:literal $plural:literal;)+) => {
        impl Kind {
            $($(#[$doc])* pub(crate) const $name: Kind = Kind { api_version: $api_version, kind: $kind, plural: $plural };)+
            /// Every kind this agent knows.
            const ALL: &'static [Kind] = &[$(Kind::$name),+];
        }
    };
}

kinds! {
    CONFIG_MAP = "v1" "ConfigMap" "configmaps";
    POD = "v1" "Pod" "pods";
    SERVICE = "v1" "Service" "services";
    SERVICE_ACCOUNT = "v1" "ServiceAccount" "serviceaccounts";
    DEPLOYMENT = "apps/v1" "Deployment" "deployments";
    NETWORK_POLICY = "networking.k8s.io/v1" "NetworkPolicy" "networkpolicies";
    ROLE = "rbac.authorization.k8s.io/v1" "Role" "roles";
    ROLE_BINDING = "rbac.authorization.k8s.io/v1" "RoleBinding" "rolebindings";
    GATEWAY = "gateway.networking.k8s.io/v1" "Gateway" "gateways";
    GATEWAY_CLASS = "gateway.networking.k8s.io/v1" "GatewayClass" "gatewayclasses";
    HTTP_ROUTE = "gateway.networking.k8s.io/v1" "HTTPRoute" "httproutes";
    RUNTIME_CLASS = "node.k8s.io/v1" "RuntimeClass" "runtimeclasses";
    CRD = "apiextensions.k8s.io/v1" "CustomResourceDefinition" "customresourcedefinitions";
    TOOL = "tools.portproof.dev/v1alpha1" "Tool" "tools";
}

impl Kind {
    /// The kind of an object, when this agent knows it.
    pub(crate) fn of(object: &Value) -> Option<Self> {
        let member = |name| object.get(name).and_then(Value::as_str);
        let (api_version, kind) = (member("apiVersion")?, member("kind")?);
        Self::ALL
            .iter()
            .copied()
            .find(|known| known.api_version == api_version && known.kind == kind)
    }

    /// Path of the collection; an empty namespace means cluster-wide.
    pub(crate) fn collection(self, namespace: &str) -> String {
        let root = if self.api_version.contains('/') {
            "apis"
        } else {
            "api"
        };
        let version = self.api_version;
        let plural = self.plural;
        if namespace.is_empty() {
            format!("/{root}/{version}/{plural}")
        } else {
            format!("/{root}/{version}/namespaces/{namespace}/{plural}")
        }
    }

    /// Path of one object.
    pub(crate) fn object(self, namespace: &str, name: &str) -> String {
        format!("{}/{name}", self.collection(namespace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_follow_the_group_and_the_scope() {
        assert_eq!(
            Kind::CONFIG_MAP.object("n", "x"),
            "/api/v1/namespaces/n/configmaps/x"
        );
        assert_eq!(
            Kind::CRD.object("", "x"),
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/x"
        );
    }

    #[test]
    fn the_kind_of_an_object_is_known_by_version_and_kind_together() {
        assert_eq!(
            Kind::of(&json!({"apiVersion": "v1", "kind": "ConfigMap"})),
            Some(Kind::CONFIG_MAP)
        );
        assert_eq!(
            Kind::of(&json!({"apiVersion": "v2", "kind": "ConfigMap"})),
            None
        );
    }
}
