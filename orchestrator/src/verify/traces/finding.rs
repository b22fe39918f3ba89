//! What a rule found wrong with a trace.

use portproof_proto::names::Part;
use serde::Serialize;
use std::fmt;

/// The rules of a trace, with stable numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Code {
    /// The request's own root has work under it.
    #[serde(rename = "T01")]
    Present,
    /// There is one root.
    #[serde(rename = "T02")]
    SingleRoot,
    /// Every parent is there.
    #[serde(rename = "T03")]
    Orphan,
    /// Span ids are unique and no span is its own ancestor.
    #[serde(rename = "T04")]
    Identity,
    /// Everything carries one trace id.
    #[serde(rename = "T05")]
    SplitTrace,
    /// Every span comes from the cluster that was asked.
    #[serde(rename = "T06")]
    Reach,
    /// Every call has a caller and a callee, in two processes.
    #[serde(rename = "T07")]
    PeerClosure,
    /// Plan, model, tool and answer follow each other.
    #[serde(rename = "T09")]
    Chain,
    /// A tool call carries its details, and both ends agree on them.
    #[serde(rename = "T11")]
    ToolDetails,
    /// An error status and `error.type` go together and match the outcome.
    #[serde(rename = "T13")]
    Status,
    /// Times are possible.
    #[serde(rename = "T14")]
    Time,
}

impl Code {
    /// The stable number, for example `T07`.
    pub const fn number(self) -> &'static str {
        match self {
            Self::Present => "T01",
            Self::SingleRoot => "T02",
            Self::Orphan => "T03",
            Self::Identity => "T04",
            Self::SplitTrace => "T05",
            Self::Reach => "T06",
            Self::PeerClosure => "T07",
            Self::Chain => "T09",
            Self::ToolDetails => "T11",
            Self::Status => "T13",
            Self::Time => "T14",
        }
    }
}

/// What a finding says about the claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearing {
    /// The spans at hand contradict it.
    Contradicts,
    /// Spans that should be there are not: of this part, or of one that is not known.
    Missing(Option<Part>),
    /// Nothing: what is there cannot be compared, whatever else arrives.
    Undecided,
}

/// One thing that is wrong with a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub code: Code,
    /// What it says about the claim.
    pub bearing: Bearing,
    /// What was found, one sentence.
    pub message: String,
}

impl Finding {
    /// The spans at hand contradict the claim.
    pub(super) fn contradiction(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            bearing: Bearing::Contradicts,
            message: message.into(),
        }
    }

    /// A span that `part` should have sent is not there.
    pub(super) fn missing(
        code: Code,
        part: impl Into<Option<Part>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            bearing: Bearing::Missing(part.into()),
            message: message.into(),
        }
    }

    /// What is there cannot be compared.
    pub(super) fn undecided(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            bearing: Bearing::Undecided,
            message: message.into(),
        }
    }

    /// Whether something is missing.
    pub(super) const fn is_gap(&self) -> bool {
        matches!(self.bearing, Bearing::Missing(_))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code.number(), self.message)
    }
}
