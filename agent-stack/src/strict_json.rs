//! Reads JSON that can be understood in one way only: UTF-8, no member twice in one object, bounded nesting.
//!
//! RFC 8259 (section 4) leaves open which of two members with one name counts. Two readers that choose differently are a
//! way around whatever the first of them checked, so such a text is refused here. Every error names the place in the
//! text: `messages[0].role`.

use serde::Deserialize;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Number, Value};
use std::cell::Cell;
use std::fmt;

/// Deepest nesting of objects and arrays. Below serde_json's own limit of 128, which tells no place.
pub const MAX_DEPTH: usize = 100;

/// Why a text was not read.
#[derive(Debug, thiserror::Error)]
pub enum StrictJsonError {
    /// Not UTF-8.
    #[error("the text is not UTF-8 from byte {offset} on")]
    Encoding {
        /// Number of valid bytes before.
        offset: usize,
    },
    /// Not JSON.
    #[error("the text is not JSON")]
    Syntax(#[source] serde_json::Error),
    /// Two members of one object have one name.
    #[error("the member `{path}` is there twice")]
    Duplicate {
        /// Place of the second one.
        path: String,
    },
    /// Nested too deeply.
    #[error("`{path}` is nested deeper than {MAX_DEPTH} levels")]
    Depth {
        /// Place of the first value that lies too deep.
        path: String,
    },
    /// JSON, but not of the form that is asked for.
    #[error("{} has the wrong form", named(path))]
    Shape {
        /// Place of the value; empty for the whole text.
        path: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl StrictJsonError {
    /// The place in the text, where the error has one other than the whole text.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Duplicate { path } | Self::Depth { path } | Self::Shape { path, .. } => {
                Some(path.as_str()).filter(|path| !path.is_empty())
            }
            Self::Encoding { .. } | Self::Syntax(_) => None,
        }
    }

    /// The same error, of a text that is the member at `parent` of a larger one.
    #[must_use]
    pub fn below(mut self, parent: &str) -> Self {
        if let Self::Duplicate { path } | Self::Depth { path } | Self::Shape { path, .. } =
            &mut self
        {
            let joint = if path.is_empty() || path.starts_with('[') {
                ""
            } else {
                "."
            };
            *path = format!("{parent}{joint}{path}");
        }
        self
    }
}

fn named(path: &str) -> String {
    if path.is_empty() {
        "the value".to_owned()
    } else {
        format!("`{path}`")
    }
}

/// Reads `text` as one value of the type `T`.
///
/// # Errors
/// When `text` is not strict JSON or not a `T`.
pub fn from_slice<T: DeserializeOwned>(text: &[u8]) -> Result<T, StrictJsonError> {
    from_value(&value(text)?)
}

/// Reads `text` as any JSON value.
///
/// # Errors
/// When `text` is not strict JSON.
pub fn value(text: &[u8]) -> Result<Value, StrictJsonError> {
    let text = std::str::from_utf8(text).map_err(|error| StrictJsonError::Encoding {
        offset: error.valid_up_to(),
    })?;
    let fault = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_str(text);
    let strict = Strict {
        path: &Path::Root,
        depth: 0,
        fault: &fault,
    };
    let read = strict
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    read.map_err(|error| fault.take().unwrap_or(StrictJsonError::Syntax(error)))
}

/// Takes a value that was read before as a `T`.
///
/// # Errors
/// [`StrictJsonError::Shape`] when it is not one.
pub fn from_value<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, StrictJsonError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        StrictJsonError::Shape {
            path: if path == "." { String::new() } else { path },
            source: error.into_inner(),
        }
    })
}

/// The way from the root to a value, linked through the stack so that a good text costs no allocation for it.
enum Path<'a> {
    Root,
    Member(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Member(Self::Root, name) => f.write_str(name),
            Self::Member(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Reads one value. serde's errors are texts, so the error that is meant travels beside them in `fault`.
struct Strict<'a> {
    path: &'a Path<'a>,
    depth: usize,
    fault: &'a Cell<Option<StrictJsonError>>,
}

impl Strict<'_> {
    fn inside<'b>(&'b self, path: &'b Path<'b>) -> Strict<'b> {
        Strict {
            path,
            depth: self.depth + 1,
            fault: self.fault,
        }
    }

    fn fail<T, E: Error>(&self, fault: StrictJsonError) -> Result<T, E> {
        let error = E::custom(&fault);
        self.fault.set(Some(fault));
        Err(error)
    }

    fn check_depth<E: Error>(&self) -> Result<(), E> {
        if self.depth < MAX_DEPTH {
            return Ok(());
        }
        let path = self.path.to_string();
        self.fail(StrictJsonError::Depth { path })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).map(Value::Number);
        number.ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut items = Vec::new();
        loop {
            let path = Path::Item(self.path, items.len());
            match sequence.next_element_seed(self.inside(&path))? {
                Some(item) => items.push(item),
                None => return Ok(items.into()),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let path = Path::Member(self.path, &name);
            if members.contains_key(&name) {
                let path = path.to_string();
                return self.fail(StrictJsonError::Duplicate { path });
            }
            let value = map.next_value_seed(self.inside(&path))?;
            members.insert(name, value);
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests;
