//! JSON Schemas of a tool: compiled once, applied to each call.

use jsonschema::{Draft, Validator};
use serde_json::Value;

/// Most violations that are told.
const TOLD: usize = 5;

/// Why a schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Not a schema.
    #[error("it is not a JSON Schema of draft 2020-12: {reason}")]
    Invalid {
        /// What is wrong with it.
        reason: String,
    },
    /// Not an object, which MCP demands.
    #[error("it is not a JSON object")]
    NotAnObject,
}

/// A schema ready for use. References to other documents are never followed (MCP 2026-07-28).
#[derive(Clone, Debug)]
pub(super) struct Schema {
    validator: Validator,
}

impl Schema {
    pub(super) fn compile(schema: &Value) -> Result<Self, SchemaError> {
        if !schema.is_object() {
            return Err(SchemaError::NotAnObject);
        }
        let compiled = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .build(schema);
        let validator = compiled.map_err(|error| SchemaError::Invalid {
            reason: error.to_string(),
        })?;
        Ok(Self { validator })
    }

    /// The violations in `value`, in one line; `None` when it conforms.
    pub(super) fn violations(&self, value: &Value) -> Option<String> {
        let told: Vec<String> = self
            .validator
            .iter_errors(value)
            .take(TOLD)
            .map(|error| describe(&error))
            .collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

fn describe(error: &jsonschema::ValidationError<'_>) -> String {
    let path = error.instance_path().to_string();
    if path.is_empty() {
        error.to_string()
    } else {
        format!("`{path}`: {error}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_violation_names_its_place() {
        let schema =
            Schema::compile(&json!({"type": "object", "properties": {"n": {"type": "integer"}}}))
                .unwrap();
        assert_eq!(schema.violations(&json!({"n": 1})), None);
        assert!(
            schema
                .violations(&json!({"n": "x"}))
                .unwrap()
                .starts_with("`/n`: ")
        );
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        assert!(matches!(
            Schema::compile(&json!(true)),
            Err(SchemaError::NotAnObject)
        ));
        assert!(matches!(
            Schema::compile(&json!({"type": "number-ish"})),
            Err(SchemaError::Invalid { .. })
        ));
    }

    #[test]
    fn a_reference_to_another_document_is_not_followed() {
        let schema = json!({"$ref": "http://127.0.0.1:9/schema.json"});
        assert!(matches!(
            Schema::compile(&schema),
            Err(SchemaError::Invalid { .. })
        ));
    }
}
