//! What became of the objects of a carry.

use portproof_proto::bundle::Bundle;
use portproof_proto::canonical::Digest;
use serde::{Deserialize, Serialize};

/// What became of one object of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedObject {
    /// `Kind/name`.
    pub object: String,
    /// What the agent did.
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
    /// The API server refused it.
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
