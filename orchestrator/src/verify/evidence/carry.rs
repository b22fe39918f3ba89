//! What became of the objects of a carry.

use portproof_proto::bundle::Bundle;
use portproof_proto::canonical::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What became of one object of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedObject {
    /// `Kind/name`.
    pub object: String,
    /// What the import did.
    pub outcome: ImportOutcome,
    /// Why, where it is not `Created`.
    pub reason: String,
    /// Digest of the projection as the bundle carries it.
    pub source: Option<Digest>,
    /// Digest of the projection as it was sent to the API server.
    pub request: Option<Digest>,
    /// Digest of the projection as the API server answered.
    pub admitted: Option<Digest>,
}

impl ImportedObject {
    /// `Kind/name` of an object, as an import names it.
    pub fn name_of(object: &Value) -> String {
        let member = |pointer| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or("?")
        };
        format!("{}/{}", member("/kind"), member("/metadata/name"))
    }
}

/// What an import did with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportOutcome {
    /// Created.
    Created,
    /// An identical object was there.
    Present,
    /// Another object of that name was there.
    Conflict,
    /// It is none that may be carried, or the API server refused it.
    Refused,
    /// A dry run could not try it.
    NotTried,
    /// The import does not say, or in words that this version does not know.
    Unknown,
}

/// The evidence of one carry from a source to a target cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct CarryEvidence {
    /// What was exported from the source.
    pub source: Bundle,
    /// What the target holds after the import has settled.
    pub target: Bundle,
    /// What the import said of each object.
    pub imported: Vec<ImportedObject>,
}
