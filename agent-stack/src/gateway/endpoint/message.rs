//! One JSON-RPC message of a request body, read strictly before the MCP library sees it.
//!
//! What two readers on the way could understand differently is refused here (`strict_json`), as are batches, which MCP
//! dropped in revision 2025-06-18.

use crate::strict_json::{self, StrictJsonError};
use serde_json::{Map, Value};

/// Why a body is no message.
#[derive(Debug, thiserror::Error)]
pub(in crate::gateway) enum MessageError {
    /// Not JSON, or JSON that is refused.
    #[error("the body is not usable as JSON")]
    Json(#[from] StrictJsonError),
    /// Several messages.
    #[error(
        "the body is an array: batches left MCP with revision 2025-06-18, so send each message in a request of its own"
    )]
    Batch,
    /// Something else than an object.
    #[error("the body is {found}, but a JSON-RPC message is an object")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// A member of the envelope is missing or not what JSON-RPC and MCP want it to be.
    #[error("{rule}")]
    Envelope {
        /// What would be right.
        rule: &'static str,
        /// Id of the request, where it has a usable one.
        id: Option<Value>,
    },
}

impl MessageError {
    /// Whether the text itself is at fault (JSON-RPC -32700) and not what it says (-32600).
    pub(super) const fn is_syntax(&self) -> bool {
        matches!(self, Self::Json(_))
    }

    /// Id of the request, where it could be read.
    pub(super) const fn id(&self) -> Option<&Value> {
        match self {
            Self::Envelope { id, .. } => id.as_ref(),
            _ => None,
        }
    }
}

/// A message whose envelope is right; whether its parameters are is for the MCP library to say.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    members: Map<String, Value>,
}

impl Message {
    /// Reads the one message in `body`.
    pub(super) fn read(body: &[u8]) -> Result<Self, MessageError> {
        match strict_json::value(body)? {
            Value::Object(members) => Self::check(members),
            Value::Array(_) => Err(MessageError::Batch),
            other => Err(MessageError::NotAnObject {
                found: kind(&other),
            }),
        }
    }

    fn check(members: Map<String, Value>) -> Result<Self, MessageError> {
        match broken_rule(&members) {
            None => Ok(Self { members }),
            Some(rule) => Err(MessageError::Envelope {
                rule,
                id: members.get("id").filter(|id| is_id(id)).cloned(),
            }),
        }
    }

    /// The method of a request or notification; a response has none.
    pub(super) fn method(&self) -> Option<&str> {
        self.members.get("method").and_then(Value::as_str)
    }

    /// The id of a request or response; a notification has none.
    pub(super) fn id(&self) -> Option<&Value> {
        self.members.get("id")
    }

    /// A member of the parameters.
    pub(super) fn param(&self, name: &str) -> Option<&Value> {
        self.members.get("params")?.get(name)
    }

    /// Whether the request describes itself, as requests since revision 2026-07-28 do.
    pub(super) fn describes_itself(&self) -> bool {
        self.param("_meta")
            .and_then(Value::as_object)
            .is_some_and(|meta| meta.keys().any(|name| is_reserved(name)))
    }

    /// The body without what revision 2026-07-28 reserved in `_meta`, as an older server would read it.
    pub(super) fn without_reserved_metadata(mut self) -> Value {
        let meta = self
            .members
            .get_mut("params")
            .and_then(|params| params.get_mut("_meta"));
        if let Some(meta) = meta.and_then(Value::as_object_mut) {
            meta.retain(|name, _| !is_reserved(name));
        }
        Value::Object(self.members)
    }
}

fn is_reserved(name: &str) -> bool {
    name.starts_with("io.modelcontextprotocol/")
}

/// The first rule of JSON-RPC 2.0 and MCP that the envelope breaks.
fn broken_rule(members: &Map<String, Value>) -> Option<&'static str> {
    let (id, method) = (members.get("id"), members.get("method"));
    let answers = members.contains_key("result") || members.contains_key("error");
    if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        Some("the member `jsonrpc` must be \"2.0\"")
    } else if id.is_some_and(|id| !is_id(id)) {
        Some("the member `id` must be a string or an integer")
    } else if method.is_none() && !answers {
        Some("a message needs the member `method`, or as a response `result` or `error`")
    } else if method.is_some() && answers {
        Some("a message with the member `method` can have neither `result` nor `error`")
    } else if method.is_some_and(|method| !method.is_string()) {
        Some("the member `method` must be a string")
    } else if members
        .get("params")
        .is_some_and(|params| !params.is_object())
    {
        Some("the member `params` must be an object")
    } else {
        None
    }
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64()
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
