//! One JSON-RPC message of a request body, read strictly before the MCP library sees it.
//!
//! A JSON parser commonly keeps the last of two members with one name. A gateway on the way may keep the first, so what
//! was checked and what is carried out could differ: such a body is refused here, as are batches (which MCP dropped in
//! revision 2025-06-18) and nesting that only serves to exhaust a stack.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};
use std::fmt;

/// Deepest nesting of arrays and objects.
const MAX_DEPTH: usize = 64;

/// Why a body is no message.
#[derive(Debug, thiserror::Error)]
pub(in crate::gateway) enum MessageError {
    /// Not UTF-8.
    #[error("the body is not UTF-8: the byte at offset {offset} belongs to no character")]
    Encoding {
        /// Offset of the first wrong byte.
        offset: usize,
    },
    /// Not JSON, or JSON that is refused: a member given twice, or too deep.
    #[error("the body is not usable as JSON: {0}")]
    Json(serde_json::Error),
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
        matches!(self, Self::Encoding { .. } | Self::Json(_))
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
        let text = std::str::from_utf8(body).map_err(|error| MessageError::Encoding {
            offset: error.valid_up_to(),
        })?;
        match strict(text).map_err(MessageError::Json)? {
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

/// Reads JSON in which no object has a member twice and nothing is nested deeper than [`MAX_DEPTH`].
fn strict(text: &str) -> serde_json::Result<Value> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: 0 }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Reads one value at a depth.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    /// One level further in.
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format_args!(
                "arrays and objects are nested deeper than {MAX_DEPTH} levels"
            )));
        }
        Ok(Self {
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        // JSON has no other numbers than finite ones.
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut read = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            read.push(item);
        }
        Ok(Value::Array(read))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut read = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner)?;
            match read.entry(name) {
                Entry::Vacant(place) => place.insert(value),
                Entry::Occupied(place) => {
                    let told = format!("the member `{}` is there twice", place.key());
                    return Err(A::Error::custom(told));
                }
            };
        }
        Ok(Value::Object(read))
    }
}

#[cfg(test)]
mod tests;
