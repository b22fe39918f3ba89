//! Which objects portproof makes, and where the API server keeps them: a table instead of a discovery round trip.

use super::connect::Cluster;
use kube::api::{ApiResource, DynamicObject};
use kube::{Api, core::GroupVersionKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// Why something cannot be addressed as an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// A field that every object has is missing or no text.
    #[error("an object lacks `{field}`")]
    FieldMissing {
        /// Path of the field.
        field: &'static str,
    },
    /// Portproof does not make objects of this kind.
    #[error("`{api_version}` `{kind}` is not a kind of object that portproof makes")]
    KindUnknown {
        /// `apiVersion` of the object.
        api_version: String,
        /// `kind` of the object.
        kind: String,
    },
    /// A namespaced object names no namespace, or a cluster-scoped one does.
    #[error("{object}: the kind and the namespace do not fit together")]
    ScopeMismatch {
        /// The object.
        object: ObjectId,
    },
}

/// Names one object within a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectId {
    /// For example `apps/v1`.
    pub api_version: String,
    /// For example `Deployment`.
    pub kind: String,
    /// `None` for a cluster-scoped object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl ObjectId {
    /// A cluster-scoped object.
    pub fn cluster_scoped(api_version: &str, kind: &str, name: &str) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: None,
            name: name.to_owned(),
        }
    }

    /// An object in a namespace.
    pub fn namespaced(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            namespace: Some(namespace.to_owned()),
            ..Self::cluster_scoped(api_version, kind, name)
        }
    }

    /// The namespace `name` itself.
    pub fn of_namespace(name: &str) -> Self {
        Self::cluster_scoped("v1", NAMESPACE, name)
    }

    /// The CustomResourceDefinition `name`.
    pub fn of_definition(name: &str) -> Self {
        Self::cluster_scoped("apiextensions.k8s.io/v1", DEFINITION, name)
    }

    /// Reads the names out of an object.
    ///
    /// # Errors
    /// When one of them is missing.
    pub fn of(object: &Value) -> Result<Self, ObjectError> {
        let text = |pointer: &str, field| {
            let value = object.pointer(pointer).and_then(Value::as_str);
            value
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
                .ok_or(ObjectError::FieldMissing { field })
        };
        Ok(Self {
            api_version: text("/apiVersion", "apiVersion")?,
            kind: text("/kind", "kind")?,
            namespace: text("/metadata/namespace", "metadata.namespace").ok(),
            name: text("/metadata/name", "metadata.name")?,
        })
    }

    /// Whether it is a namespace.
    pub fn is_namespace(&self) -> bool {
        self.api_version == "v1" && self.kind == NAMESPACE
    }

    /// Whether it defines a kind of custom resource.
    pub fn is_definition(&self) -> bool {
        self.kind == DEFINITION
    }

    /// The collection the object lives in.
    pub(crate) fn api(&self, cluster: &Cluster) -> Result<Api<DynamicObject>, ObjectError> {
        let row = self.row()?;
        let resource = row.resource();
        match (&self.namespace, row.namespaced) {
            (Some(namespace), true) => {
                Ok(Api::namespaced_with(cluster.client(), namespace, &resource))
            }
            (None, false) => Ok(Api::all_with(cluster.client(), &resource)),
            _ => Err(ObjectError::ScopeMismatch {
                object: self.clone(),
            }),
        }
    }

    fn row(&self) -> Result<&'static Row, ObjectError> {
        KINDS
            .iter()
            .find(|row| row.api_version == self.api_version && row.kind == self.kind)
            .ok_or_else(|| ObjectError::KindUnknown {
                api_version: self.api_version.clone(),
                kind: self.kind.clone(),
            })
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

const NAMESPACE: &str = "Namespace";
const DEFINITION: &str = "CustomResourceDefinition";

struct Row {
    api_version: &'static str,
    kind: &'static str,
    plural: &'static str,
    namespaced: bool,
}

impl Row {
    fn resource(&self) -> ApiResource {
        let (group, version) = self
            .api_version
            .split_once('/')
            .unwrap_or(("", self.api_version));
        let kind = GroupVersionKind::gvk(group, version, self.kind);
        ApiResource::from_gvk_with_plural(&kind, self.plural)
    }
}

const fn namespaced(api_version: &'static str, kind: &'static str, plural: &'static str) -> Row {
    Row {
        api_version,
        kind,
        plural,
        namespaced: true,
    }
}

const fn global(api_version: &'static str, kind: &'static str, plural: &'static str) -> Row {
    Row {
        api_version,
        kind,
        plural,
        namespaced: false,
    }
}

const RBAC: &str = "rbac.authorization.k8s.io/v1";
const GATEWAY: &str = "gateway.networking.k8s.io/v1";

static KINDS: [Row; 18] = [
    global("v1", NAMESPACE, "namespaces"),
    namespaced("v1", "ConfigMap", "configmaps"),
    namespaced("v1", "Pod", "pods"),
    namespaced("v1", "Secret", "secrets"),
    namespaced("v1", "Service", "services"),
    namespaced("v1", "ServiceAccount", "serviceaccounts"),
    namespaced("apps/v1", "Deployment", "deployments"),
    namespaced(RBAC, "Role", "roles"),
    namespaced(RBAC, "RoleBinding", "rolebindings"),
    global(RBAC, "ClusterRole", "clusterroles"),
    global(RBAC, "ClusterRoleBinding", "clusterrolebindings"),
    global(
        "apiextensions.k8s.io/v1",
        DEFINITION,
        "customresourcedefinitions",
    ),
    namespaced("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    global("node.k8s.io/v1", "RuntimeClass", "runtimeclasses"),
    global(GATEWAY, "GatewayClass", "gatewayclasses"),
    namespaced(GATEWAY, "Gateway", "gateways"),
    namespaced(GATEWAY, "HTTPRoute", "httproutes"),
    namespaced("tools.portproof.dev/v1alpha1", "Tool", "tools"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use portproof_proto::tool;
    use serde_json::json;

    #[test]
    fn an_object_is_named_by_what_it_says_of_itself() {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "control", "namespace": "portproof-r1"},
        });
        let id = ObjectId::of(&object).unwrap();
        assert_eq!(
            id,
            ObjectId::namespaced("apps/v1", "Deployment", "portproof-r1", "control")
        );
        assert_eq!(id.to_string(), "Deployment portproof-r1/control");
    }

    #[test]
    fn an_object_without_a_name_is_refused() {
        let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": ""}});
        assert_eq!(
            ObjectId::of(&object),
            Err(ObjectError::FieldMissing {
                field: "metadata.name"
            })
        );
    }

    #[test]
    fn the_table_knows_the_tool_as_its_definition_describes_it() {
        let definition = tool::crd().unwrap();
        let text = |pointer| definition.pointer(pointer).and_then(Value::as_str).unwrap();
        let api_version = format!("{}/{}", text("/spec/group"), text("/spec/versions/0/name"));
        let id = ObjectId::namespaced(&api_version, text("/spec/names/kind"), "any", "any");
        assert_eq!(id.row().unwrap().plural, text("/spec/names/plural"));
    }

    #[test]
    fn a_kind_of_a_foreign_group_is_not_mistaken_for_one_of_ours() {
        let id = ObjectId::cluster_scoped("example.org/v1", "Namespace", "x");
        assert!(!id.is_namespace());
        assert!(matches!(id.row(), Err(ObjectError::KindUnknown { .. })));
    }
}
