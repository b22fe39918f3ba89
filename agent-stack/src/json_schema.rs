//! JSON Schemas of draft 2020-12: compiled once, applied to many values, and what is wrong told in few words.
//!
//! References to other documents are never followed (MCP 2026-07-28): a schema that has some cannot be used.

use jsonschema::{Draft, ValidationError, Validator};
use serde_json::Value;

/// Most violations that are told.
const TOLD: usize = 5;
/// Longest value that is told whole, in bytes of its JSON; of others only the beginning is.
const LONGEST: usize = 200;

/// A schema ready for use.
#[derive(Clone, Debug)]
pub(crate) struct JsonSchema {
    validator: Validator,
}

impl JsonSchema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn compile(schema: &Value) -> Result<Self, String> {
        let options = jsonschema::options().with_draft(Draft::Draft202012);
        match options.build(schema) {
            Ok(validator) => Ok(Self { validator }),
            Err(error) => Err(told(&error)),
        }
    }

    /// Whether `value` conforms.
    pub(crate) fn accepts(&self, value: &Value) -> bool {
        self.validator.is_valid(value)
    }

    /// The violations in `value`, in one line; `None` when it conforms.
    pub(crate) fn violations(&self, value: &Value) -> Option<String> {
        let errors = self.validator.iter_errors(value).take(TOLD);
        let told: Vec<String> = errors.map(|error| placed(&error)).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// The place in the value and what is wrong there.
fn placed(error: &ValidationError<'_>) -> String {
    let text = told(error);
    match error.instance_path().as_str() {
        "" => text,
        path => format!("`{path}`: {text}"),
    }
}

/// The error, which repeats the value it is about, with no more than the beginning of a long one.
fn told(error: &ValidationError<'_>) -> String {
    let value = error.instance().to_string();
    match value.char_indices().nth(LONGEST) {
        None => error.to_string(),
        Some((end, _)) => error
            .masked_with(format!("{}\u{2026}", &value[..end]))
            .to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> JsonSchema {
        let schema =
            json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
        JsonSchema::compile(&schema).unwrap()
    }

    #[test]
    fn a_violation_names_its_place() {
        assert_eq!(schema().violations(&json!({"n": 1})), None);
        let told = |value| schema().violations(&value).unwrap();
        assert_eq!(
            told(json!({"n": "x"})),
            "`/n`: \"x\" is not of type \"integer\""
        );
        assert_eq!(told(json!({})), "\"n\" is a required property");
    }

    #[test]
    fn a_violation_is_told_in_few_words_however_large_the_value_is() {
        let told = schema()
            .violations(&json!({"n": "é".repeat(1 << 20)}))
            .unwrap();
        assert!(
            told.len() < 1_000 && told.starts_with("`/n`: \"éé"),
            "{told}"
        );
        assert!(told.ends_with("… is not of type \"integer\""), "{told}");
    }

    #[test]
    fn a_schema_that_is_none_is_told_in_few_words_too() {
        let large = json!({"type": "x".repeat(1 << 20)});
        assert!(JsonSchema::compile(&large).unwrap_err().len() < 1_000);
    }
}
