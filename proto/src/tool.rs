//! The `Tool` custom resource: a fixture of the reference stack, not an API for others to adopt.

#![expect(
    unreachable_pub,
    clippy::duplicated_attributes,
    reason = "the lints misread what the derives repeat"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// API group of the `Tool` CRD.
pub const GROUP: &str = "tools.portproof.dev";
/// Name of the `Tool` CRD.
pub const CRD_NAME: &str = "tools.tools.portproof.dev";
/// Condition: the schemas compile and the backend is known.
pub const ACCEPTED: &str = "Accepted";
/// Condition: the tool gateway serves the tool.
pub const READY: &str = "Ready";

/// One tool that the tool gateway of its namespace serves over MCP.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "tools.portproof.dev",
    version = "v1alpha1",
    kind = "Tool",
    plural = "tools",
    namespaced,
    status = "ToolStatus",
    derive = "PartialEq",
    category = "portproof",
    printcolumn(name = "Backend", type_ = "string", json_path = ".spec.backend.type"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.inputSchema.type == 'object'", "the input of an MCP tool is an object"))]
pub struct ToolSpec {
    /// Name under which MCP clients call the tool.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9_.-]+$"))]
    pub name: String,
    /// Title for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the tool does, for the model that chooses it.
    #[schemars(length(min = 1, max = 2048))]
    pub description: String,
    /// JSON Schema 2020-12 of the arguments.
    #[schemars(schema_with = "json_schema")]
    pub input_schema: Value,
    /// JSON Schema 2020-12 of the structured result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "optional_json_schema")]
    pub output_schema: Option<Value>,
    /// What answers a call.
    pub backend: Backend,
    /// Longest time one call may take, in seconds.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 300))]
    pub timeout_seconds: u32,
}

/// What answers the calls of a tool; exactly the member that `type` names is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.type != 'Python' || has(self.python)", "a backend of type Python needs `python`"))]
#[x_kube(validation = ("self.type != 'Documents' || has(self.documents)", "a backend of type Documents needs `documents`"))]
#[x_kube(validation = ("self.type != 'Http' || has(self.http)", "a backend of type Http needs `http`"))]
#[x_kube(validation = ("(has(self.python) ? 1 : 0) + (has(self.documents) ? 1 : 0) + (has(self.http) ? 1 : 0) == 1", "set exactly one of `python`, `documents`, `http`"))]
pub struct Backend {
    /// Which of the members answers.
    pub r#type: BackendType,
    /// The sandboxed interpreter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<PythonBackend>,
    /// A document set in a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<DocumentsBackend>,
    /// An HTTP service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpBackend>,
}

/// The kinds of backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BackendType {
    /// Runs Python in the interpreter.
    Python,
    /// Searches a document set.
    Documents,
    /// Calls an HTTP service.
    Http,
}

/// Runs the Python source given in an argument of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PythonBackend {
    /// The Service of the interpreter, in the tool's namespace.
    pub service_name: String,
    /// Its port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// The argument that holds the source.
    pub code_argument: String,
}

/// Searches the documents of a ConfigMap: one key, one document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DocumentsBackend {
    /// The ConfigMap, in the tool's namespace.
    pub config_map_name: String,
    /// The argument that holds the query.
    pub query_argument: String,
    /// Most documents in one answer.
    #[schemars(range(min = 1, max = 50))]
    pub limit: u32,
}

/// Calls `GET http://{serviceName}:{port}{path}`, arguments filled into `{name}` of the path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpBackend {
    /// The Service, in the tool's namespace.
    pub service_name: String,
    /// Its port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Path template, for example `/v1/items/{sku}`.
    #[schemars(regex(pattern = "^/"))]
    pub path: String,
}

/// What the tool gateway says about a tool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToolStatus {
    /// The generation the conditions speak of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// [`ACCEPTED`] and [`READY`].
    #[serde(default)]
    pub conditions: Vec<Condition>,
}

/// The CRD as JSON, the way it is applied and carried.
///
/// What an API server would default (apiextensions/v1: the list kind and no conversion) is written out, so that what is
/// stored equals what was sent.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn crd() -> Result<Value, serde_json::Error> {
    use kube::CustomResourceExt as _;
    let mut crd = serde_json::to_value(Tool::crd())?;
    crd["spec"]["names"]["listKind"] = "ToolList".into();
    crd["spec"]["conversion"] = serde_json::json!({"strategy": "None"});
    Ok(crd)
}

/// Whether an object is the definition of `Tool`, whoever wrote it. It is the only definition that is carried: one belongs
/// to the whole cluster, and another could take over a kind of others.
pub fn is_definition(object: &Value) -> bool {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
    text("/apiVersion") == Some("apiextensions.k8s.io/v1")
        && text("/kind") == Some("CustomResourceDefinition")
        && text("/metadata/name") == Some(CRD_NAME)
        && text("/spec/group") == Some(GROUP)
}

const fn default_timeout() -> u32 {
    30
}

/// A JSON Schema inside the CRD: an object of which the API server keeps every member.
fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "properties": {"type": {"type": "string"}},
        "required": ["type"],
        "x-kubernetes-preserve-unknown-fields": true
    })
}

fn optional_json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "nullable": true,
        "x-kubernetes-preserve-unknown-fields": true
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crd_leaves_an_api_server_nothing_to_default() {
        let crd = crd().unwrap();
        assert_eq!(crd.pointer("/spec/names/singular").unwrap(), "tool");
        assert_eq!(crd.pointer("/spec/names/listKind").unwrap(), "ToolList");
        assert_eq!(crd.pointer("/spec/conversion/strategy").unwrap(), "None");
    }

    #[test]
    fn only_the_definition_of_tool_is_one_to_carry() {
        let own = crd().unwrap();
        assert!(is_definition(&own));
        for (member, other) in [
            ("/apiVersion", "apiextensions.k8s.io/v1beta1"),
            ("/kind", "Secret"),
            ("/metadata/name", "gateways.gateway.networking.k8s.io"),
            ("/spec/group", "gateway.networking.k8s.io"),
        ] {
            let mut foreign = own.clone();
            *foreign.pointer_mut(member).unwrap() = other.into();
            assert!(!is_definition(&foreign), "{member}");
        }
    }

    #[test]
    fn the_crd_has_its_published_name_and_status_subresource() {
        let crd = crd().unwrap();
        assert_eq!(crd.pointer("/metadata/name").unwrap(), CRD_NAME);
        assert!(
            crd.pointer("/spec/versions/0/subresources/status")
                .is_some()
        );
    }

    #[test]
    fn the_crd_keeps_unknown_members_of_the_schemas_and_checks_the_backend_with_cel() {
        let crd = crd().unwrap();
        let spec = crd
            .pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec")
            .unwrap();
        assert_eq!(
            spec.pointer("/properties/inputSchema/x-kubernetes-preserve-unknown-fields")
                .unwrap(),
            true
        );
        assert_eq!(
            spec.pointer("/properties/backend/x-kubernetes-validations")
                .unwrap()
                .as_array()
                .unwrap()
                .len(),
            4
        );
    }
}
