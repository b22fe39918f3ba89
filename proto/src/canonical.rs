//! Canonical JSON (RFC 8785) and the digests taken over it.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Largest integer that survives RFC 8785's number form without loss: 2^53 - 1.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Why a value has no canonical form.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// Two different integers of this size canonicalise to the same text, so a digest would prove nothing.
    #[error(
        "the integer {integer} at `{pointer}` is outside ±(2^53-1) and has no unambiguous canonical form"
    )]
    IntegerRange {
        /// JSON pointer (RFC 6901) of the number.
        pointer: String,
        /// The number as written.
        integer: String,
    },
    /// The serialiser refused the value.
    #[error("the value cannot be written as canonical JSON")]
    Serialise(#[source] serde_json::Error),
}

/// A SHA-256 digest, written `sha256:<64 hex digits>`.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digest of raw bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex::encode(Sha256::digest(bytes))))
    }

    /// The whole text, `sha256:` included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve hex digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(7..19).unwrap_or(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Digest {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// Writes `value` as canonical JSON (RFC 8785).
///
/// # Errors
/// [`CanonicalError::IntegerRange`] for integers that RFC 8785 would round.
pub fn to_bytes(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    check_integers(value, &mut String::new())?;
    serde_jcs::to_vec(value).map_err(CanonicalError::Serialise)
}

/// The canonical text of `value`; see [`to_bytes`].
///
/// # Errors
/// As [`to_bytes`].
pub fn to_text(value: &Value) -> Result<String, CanonicalError> {
    to_bytes(value).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The digest of the canonical form of `value`.
///
/// # Errors
/// As [`to_bytes`].
pub fn digest(value: &Value) -> Result<Digest, CanonicalError> {
    to_bytes(value).map(|bytes| Digest::of_bytes(&bytes))
}

fn check_integers(value: &Value, pointer: &mut String) -> Result<(), CanonicalError> {
    match value {
        Value::Number(number) if !is_safe(number) => Err(CanonicalError::IntegerRange {
            pointer: pointer.clone(),
            integer: number.to_string(),
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| check_child(item, &index.to_string(), pointer)),
        Value::Object(members) => members.iter().try_for_each(|(key, item)| {
            check_child(item, &key.replace('~', "~0").replace('/', "~1"), pointer)
        }),
        _ => Ok(()),
    }
}

fn check_child(item: &Value, segment: &str, pointer: &mut String) -> Result<(), CanonicalError> {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(segment);
    let outcome = check_integers(item, pointer);
    pointer.truncate(length);
    outcome
}

fn is_safe(number: &serde_json::Number) -> bool {
    match (number.as_u64(), number.as_i64()) {
        (Some(unsigned), _) => unsigned <= MAX_SAFE_INTEGER,
        (None, Some(signed)) => signed.unsigned_abs() <= MAX_SAFE_INTEGER,
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn the_order_of_members_does_not_matter() {
        let one = json!({"b": 1, "a": {"y": [1, 2], "x": null}});
        let other: Value = serde_json::from_str(r#"{"a":{"x":null,"y":[1,2]},"b":1.0}"#).unwrap();
        assert_eq!(digest(&one).unwrap(), digest(&other).unwrap());
    }

    #[test]
    fn integers_that_would_be_rounded_are_refused_with_their_place() {
        let error = digest(&json!({"a": [0, {"b/c": 9_007_199_254_740_993_u64}]})).unwrap_err();
        assert!(error.to_string().contains("`/a/1/b~1c`"), "{error}");
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-1_000_000_i64..1_000_000).prop_map(Value::from),
            "[a-zA-Z0-9 é\u{1F600}/~\"]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map("[a-z~/é]{1,6}", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn canonical_text_parses_back_to_the_same_value(value in json_value()) {
            let text = to_text(&value).unwrap();
            let back: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&back, &value);
            prop_assert_eq!(to_text(&back).unwrap(), text);
        }
    }
}
