//! A `Tool` object as the gateway sees it, and what it makes of its specification.

use super::inventory::Needed;
use super::schema::{Schema, SchemaError};
use kube::api::DynamicObject;
use portproof_proto::tool::{BackendType, Tool, ToolSpec, ToolStatus};
use rmcp::model::{JsonObject, Tool as Descriptor};
use serde_json::Value;
use std::sync::Arc;

/// Why a `Tool` object is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The specification is not that of a `Tool`. An API server that has the CRD lets none through; one that has an
    /// older CRD may.
    #[error("the specification cannot be read: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// A schema cannot be used.
    #[error("`{member}` cannot be used")]
    Schema {
        /// `inputSchema` or `outputSchema`.
        member: &'static str,
        /// What is wrong with it.
        #[source]
        source: SchemaError,
    },
    /// The member that the backend's type names is missing.
    #[error("the backend of type {backend:?} has no settings")]
    Backend {
        /// The type.
        backend: BackendType,
    },
    /// Another object has that MCP name.
    #[error("the name `{name}` belongs to the Tool `{owner}`")]
    NameTaken {
        /// The MCP name.
        name: String,
        /// The object that is served under it.
        owner: String,
    },
}

impl Rejection {
    /// The reason of a status condition.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "InvalidSpec",
            Self::Schema { .. } => "InvalidSchema",
            Self::Backend { .. } => "InvalidBackend",
            Self::NameTaken { .. } => "NameTaken",
        }
    }
}

/// What a status is written about.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Subject {
    /// Name of the object.
    pub(super) name: String,
    pub(super) uid: Option<String>,
    pub(super) generation: Option<i64>,
    /// The status as it was last seen; one that cannot be read is none.
    pub(super) status: Option<ToolStatus>,
}

/// A `Tool` object before anything is made of it.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) subject: Subject,
    pub(super) spec: Result<ToolSpec, Rejection>,
}

impl From<Tool> for Candidate {
    fn from(object: Tool) -> Self {
        Self {
            subject: Subject {
                name: object.metadata.name.unwrap_or_default(),
                uid: object.metadata.uid,
                generation: object.metadata.generation,
                status: object.status,
            },
            spec: Ok(object.spec),
        }
    }
}

/// Read member by member, so that one object that is not as it should be does not hide all others.
impl From<DynamicObject> for Candidate {
    fn from(object: DynamicObject) -> Self {
        let member = |name| object.data.get(name).cloned().unwrap_or_default();
        let spec = serde_json::from_value(member("spec")).map_err(|error| Rejection::Unreadable {
            reason: error.to_string(),
        });
        Self {
            subject: Subject {
                status: serde_json::from_value(member("status")).ok(),
                name: object.metadata.name.unwrap_or_default(),
                uid: object.metadata.uid,
                generation: object.metadata.generation,
            },
            spec,
        }
    }
}

/// A tool that can be served.
#[derive(Clone, Debug)]
pub(super) struct ServedTool {
    pub(super) spec: ToolSpec,
    pub(super) input: Schema,
    pub(super) output: Option<Schema>,
    /// What `tools/list` says of it: exactly what the object says.
    pub(super) descriptor: Descriptor,
}

impl ServedTool {
    pub(super) fn compile(spec: ToolSpec) -> Result<Self, Rejection> {
        let schema = |member, schema| {
            Schema::compile(schema).map_err(|source| Rejection::Schema { member, source })
        };
        let input = schema("inputSchema", &spec.input_schema)?;
        let output = spec.output_schema.as_ref();
        let output = output
            .map(|output| schema("outputSchema", output))
            .transpose()?;
        if !has_settings(&spec) {
            return Err(Rejection::Backend {
                backend: spec.backend.r#type,
            });
        }
        Ok(Self {
            descriptor: descriptor(&spec),
            spec,
            input,
            output,
        })
    }

    /// The object its backend stands on.
    pub(super) fn needs(&self) -> Option<Needed> {
        let backend = &self.spec.backend;
        match backend.r#type {
            BackendType::Python => backend
                .python
                .as_ref()
                .map(|python| Needed::service(&python.service_name)),
            BackendType::Http => backend
                .http
                .as_ref()
                .map(|http| Needed::service(&http.service_name)),
            BackendType::Documents => backend
                .documents
                .as_ref()
                .map(|documents| Needed::config_map(&documents.config_map_name)),
        }
    }
}

fn has_settings(spec: &ToolSpec) -> bool {
    match spec.backend.r#type {
        BackendType::Python => spec.backend.python.is_some(),
        BackendType::Documents => spec.backend.documents.is_some(),
        BackendType::Http => spec.backend.http.is_some(),
    }
}

fn descriptor(spec: &ToolSpec) -> Descriptor {
    let mut descriptor = Descriptor::new(
        spec.name.clone(),
        spec.description.clone(),
        object(&spec.input_schema),
    );
    if let Some(title) = &spec.title {
        descriptor = descriptor.with_title(title.clone());
    }
    if let Some(output) = &spec.output_schema {
        descriptor = descriptor.with_raw_output_schema(object(output));
    }
    descriptor
}

/// Compiled schemas are objects, so nothing is lost here.
fn object(schema: &Value) -> Arc<JsonObject> {
    Arc::new(schema.as_object().cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::ApiResource;
    use serde_json::json;

    fn raw(data: Value) -> DynamicObject {
        DynamicObject::new("x", &ApiResource::erase::<Tool>(&())).data(data)
    }

    #[test]
    fn an_object_that_is_no_tool_says_what_is_wrong_with_it() {
        let candidate = Candidate::from(raw(json!({"spec": {"name": 7}})));
        let rejection = candidate.spec.unwrap_err();
        assert_eq!(rejection.reason(), "InvalidSpec");
        assert!(
            rejection.to_string().contains("expected a string"),
            "{rejection}"
        );
        let candidate = Candidate::from(raw(json!({})));
        assert_eq!(candidate.spec.unwrap_err().reason(), "InvalidSpec");
    }

    #[test]
    fn a_status_that_cannot_be_read_is_none() {
        let candidate = Candidate::from(raw(json!({"spec": {}, "status": {"conditions": 1}})));
        assert_eq!(candidate.subject.status, None);
    }
}
