//! Reads JSON that can be understood in one way only: UTF-8, no member twice in one object, bounded nesting.
//!
//! RFC 8259 (section 4) leaves open which of two members with one name counts. Two readers that choose differently are a
//! way around whatever the first of them checked, so such a text is refused here. Every error names the place in the
//! text: `messages[0].role`.

use serde::Deserialize;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor,
};
use serde_json::Value;
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
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
/// The text is checked before anything is made of it, so that what a reader of a small form costs does not grow with what
/// a client nests or lists.
///
/// # Errors
/// When `text` is not strict JSON or not a `T`.
pub fn from_slice<T: DeserializeOwned>(text: &[u8]) -> Result<T, StrictJsonError> {
    shaped(&mut serde_json::Deserializer::from_str(checked(text)?))
}

/// Reads `text` as any JSON value.
///
/// # Errors
/// When `text` is not strict JSON.
pub fn value(text: &[u8]) -> Result<Value, StrictJsonError> {
    serde_json::from_str(checked(text)?).map_err(StrictJsonError::Syntax)
}

/// Takes a value that was read before as a `T`.
///
/// # Errors
/// [`StrictJsonError::Shape`] when it is not one.
pub fn from_value<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, StrictJsonError> {
    shaped(value)
}

fn shaped<'de, T, D>(reader: D) -> Result<T, StrictJsonError>
where
    T: Deserialize<'de>,
    D: Deserializer<'de, Error = serde_json::Error>,
{
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let path = error.path().to_string();
        StrictJsonError::Shape {
            path: if path == "." { String::new() } else { path },
            source: error.into_inner(),
        }
    })
}

/// The text, once it is known to be strict JSON.
fn checked(text: &[u8]) -> Result<&str, StrictJsonError> {
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
    match strict.deserialize(&mut reader).and_then(|()| reader.end()) {
        Ok(()) => Ok(text),
        Err(error) => Err(fault.take().unwrap_or(StrictJsonError::Syntax(error))),
    }
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

/// Checks one value and keeps nothing of it. serde's errors are texts, so the error that is meant travels beside them in `fault`.
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
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        self.check_depth()?;
        for index in 0.. {
            let path = Path::Item(self.path, index);
            if sequence.next_element_seed(self.inside(&path))?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.check_depth()?;
        let mut names = HashSet::new();
        while let Some(Name(name)) = map.next_key()? {
            let path = Path::Member(self.path, &name);
            if names.contains(&name) {
                let path = path.to_string();
                return self.fail(StrictJsonError::Duplicate { path });
            }
            map.next_value_seed(self.inside(&path))?;
            names.insert(name);
        }
        Ok(())
    }
}

/// The name of a member, borrowed from the text unless there is an escape in it.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests;
