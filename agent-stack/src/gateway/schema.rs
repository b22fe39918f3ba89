//! JSON Schemas of a tool, as MCP wants them.

use crate::json_schema::JsonSchema;
use serde_json::Value;

/// The dialect of JSON Schema that MCP takes when a schema names none.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Why a schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Not a schema.
    #[error("it is not a JSON Schema of draft 2020-12: {reason}")]
    Invalid {
        /// What is wrong with it.
        reason: String,
    },
    /// Of another dialect than the one that is understood (SEP-1613).
    #[error("`$schema` is `{dialect}`, but only {DIALECT} is understood")]
    Dialect {
        /// The dialect it names.
        dialect: String,
    },
    /// Not an object, which MCP demands.
    #[error("it is not a JSON object")]
    NotAnObject,
}

/// A schema ready for use.
#[derive(Clone, Debug)]
pub(super) struct Schema(JsonSchema);

impl Schema {
    pub(super) fn compile(schema: &Value) -> Result<Self, SchemaError> {
        if !schema.is_object() {
            return Err(SchemaError::NotAnObject);
        }
        check_dialect(schema)?;
        let compiled = JsonSchema::compile(schema);
        let compiled = compiled.map_err(|reason| SchemaError::Invalid { reason })?;
        Ok(Self(compiled))
    }

    /// The violations in `value`, in one line; `None` when it conforms.
    pub(super) fn violations(&self, value: &Value) -> Option<String> {
        self.0.violations(value)
    }
}

fn check_dialect(schema: &Value) -> Result<(), SchemaError> {
    match schema.get("$schema") {
        None => Ok(()),
        Some(Value::String(named)) if named.trim_end_matches('#') == DIALECT => Ok(()),
        Some(named) => Err(SchemaError::Dialect {
            dialect: named
                .as_str()
                .map_or_else(|| named.to_string(), str::to_owned),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
        let file = std::env::temp_dir().join("schema.json");
        for reference in [
            "http://127.0.0.1:9/schema.json".to_owned(),
            "https://example.com/schema.json#/$defs/a".to_owned(),
            format!("file://{}", file.display()),
            "urn:example:schema".to_owned(),
            "other.json".to_owned(),
        ] {
            for schema in [
                json!({"type": "object", "properties": {"x": {"$ref": reference}}}),
                json!({"type": "object", "properties": {"x": {"$dynamicRef": reference}}}),
            ] {
                let refused = Schema::compile(&schema);
                assert!(
                    matches!(refused, Err(SchemaError::Invalid { .. })),
                    "{schema}"
                );
            }
        }
    }

    #[test]
    fn only_the_dialect_of_mcp_is_understood() {
        for dialect in [json!(DIALECT), json!(format!("{DIALECT}#"))] {
            assert!(Schema::compile(&json!({"type": "object", "$schema": dialect})).is_ok());
        }
        for dialect in [
            json!("http://json-schema.org/draft-07/schema#"),
            json!("http://127.0.0.1:9/schema.json"),
            json!(7),
        ] {
            let refused = Schema::compile(&json!({"type": "object", "$schema": dialect}));
            assert!(
                matches!(refused, Err(SchemaError::Dialect { .. })),
                "{dialect}"
            );
        }
    }

    #[test]
    fn references_within_the_document_and_what_2020_12_brought_are_followed() {
        let schema = Schema::compile(&json!({
            "type": "object",
            "$defs": {"positive": {"type": "integer", "exclusiveMinimum": 0}},
            "properties": {"pair": {"prefixItems": [{"$ref": "#/$defs/positive"}], "items": false}},
            "dependentRequired": {"a": ["b"]},
            "unevaluatedProperties": false,
        }))
        .unwrap();
        assert_eq!(schema.violations(&json!({"pair": [1]})), None);
        for wrong in [
            json!({"pair": [0]}),
            json!({"pair": [1, 2]}),
            json!({"a": 1}),
            json!({"c": 1}),
        ] {
            assert!(schema.violations(&wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_comes_to_an_end() {
        for circle in [
            json!({"$ref": "#"}),
            json!({"allOf": [{"$ref": "#"}, {"anyOf": [{"$ref": "#"}]}]}),
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}),
            json!({"properties": {"x": {"$ref": "#"}}}),
        ] {
            let schema = Schema::compile(&circle).unwrap();
            assert_eq!(
                schema.violations(&json!({"x": {"x": {}}})),
                None,
                "{circle}"
            );
        }
    }
}
