//! The form the answer has to have.

use crate::json_schema::JsonSchema;
use crate::model::error::ApiError;
use crate::strict_json;
use serde::Deserialize;
use serde_json::Value;

const PARAM: &str = "response_format";

/// Form of the answer.
#[derive(Clone, Debug)]
pub(in crate::model) enum AnswerFormat {
    /// Any text.
    Text,
    /// A JSON object.
    Json,
    /// JSON that conforms to a schema.
    Schema(AnswerSchema),
}

/// A JSON Schema (2020-12) with a name. References to other documents are never followed.
#[derive(Clone, Debug)]
pub(in crate::model) struct AnswerSchema {
    /// Name the client gave it.
    pub(in crate::model) name: String,
    /// The schema itself.
    pub(in crate::model) schema: Value,
    compiled: JsonSchema,
}

impl AnswerSchema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(in crate::model) fn compile(name: String, schema: Value) -> Result<Self, String> {
        let compiled = JsonSchema::compile(&schema)?;
        Ok(Self {
            name,
            schema,
            compiled,
        })
    }

    /// Whether `value` conforms.
    pub(in crate::model) fn accepts(&self, value: &Value) -> bool {
        self.compiled.accepts(value)
    }
}

#[derive(Deserialize)]
struct SchemaMember {
    name: String,
    schema: Option<Value>,
}

/// Reads `response_format` of a request whose `response_format.type` is known to be a text, if there is any.
///
/// # Errors
/// When the type is unknown or the schema cannot be used.
pub(super) fn read(request: &Value) -> Result<AnswerFormat, ApiError> {
    let format = &request[PARAM];
    match format["type"].as_str() {
        None | Some("text") => Ok(AnswerFormat::Text),
        Some("json_object") => Ok(AnswerFormat::Json),
        Some("json_schema") => read_schema(&format["json_schema"]).map(AnswerFormat::Schema),
        Some(other) => {
            let reason = format!("is `{other}`; it is `text`, `json_object` or `json_schema`");
            Err(ApiError::value(format!("{PARAM}.type"), reason))
        }
    }
}

fn read_schema(given: &Value) -> Result<AnswerSchema, ApiError> {
    let param = format!("{PARAM}.json_schema");
    if given.is_null() {
        return Err(ApiError::missing(param));
    }
    let SchemaMember { name, schema } =
        strict_json::from_value(given).map_err(|error| error.below(&param))?;
    let param = format!("{param}.schema");
    let schema = schema.ok_or_else(|| ApiError::missing(&param))?;
    AnswerSchema::compile(name, schema)
        .map_err(|reason| ApiError::value(param, format!("is no JSON Schema: {reason}")))
}
