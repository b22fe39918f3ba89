//! Checks what tools return against what they promise: a gateway that does so too is no reason to trust it.

use crate::json_schema::JsonSchema;
use rmcp::model::Tool;
use serde_json::Value;

/// Why results cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum OutputSchemaError {
    /// Not a schema, or one that refers to other documents, which are never fetched.
    #[error("its output schema cannot be used: {reason}")]
    Unusable {
        /// What is wrong with it.
        reason: String,
    },
}

/// What a tool promises to return. A tool without output schema promises nothing.
#[derive(Debug, Default)]
pub(super) struct Promise {
    schema: Option<JsonSchema>,
}

impl Promise {
    pub(super) fn of(tool: &Tool) -> Result<Self, OutputSchemaError> {
        let Some(schema) = tool.output_schema.as_deref() else {
            return Ok(Self::default());
        };
        let compiled = JsonSchema::compile(&Value::Object(schema.clone()));
        let schema = compiled.map_err(|reason| OutputSchemaError::Unusable { reason })?;
        Ok(Self {
            schema: Some(schema),
        })
    }

    /// What is wrong with a result, in one line; `None` when it is as promised. MCP demands a structured result from
    /// every tool with an output schema (2026-07-28, server/tools).
    pub(super) fn broken_by(&self, structured: Option<&Value>) -> Option<String> {
        let schema = self.schema.as_ref()?;
        match structured {
            Some(value) => schema.violations(value),
            None => Some("the result is not structured".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    fn tool(schema: &Value) -> Tool {
        Tool::new("t", "d", Arc::default())
            .with_raw_output_schema(Arc::new(schema.as_object().unwrap().clone()))
    }

    #[test]
    fn a_result_must_be_there_and_as_promised() {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
        let promise = Promise::of(&tool(&schema)).unwrap();
        assert_eq!(promise.broken_by(Some(&json!({"n": 1}))), None);
        assert!(
            promise
                .broken_by(Some(&json!({"n": "x"})))
                .unwrap()
                .starts_with("`/n`: ")
        );
        assert_eq!(
            promise.broken_by(None).unwrap(),
            "the result is not structured"
        );
    }

    #[test]
    fn a_tool_that_promises_nothing_keeps_its_promise() {
        let promise = Promise::of(&Tool::new("t", "d", Arc::default())).unwrap();
        assert_eq!(promise.broken_by(None), None);
    }

    #[test]
    fn a_promise_in_another_document_is_not_fetched_and_not_believed() {
        let schema = json!({"$ref": "http://127.0.0.1:9/schema.json"});
        assert!(Promise::of(&tool(&schema)).is_err());
    }
}
