//! What a rule found wrong with a trace.

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

/// One thing that is wrong with a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule.
    pub code: Code,
    /// Whether something is missing, which a lost batch could explain; otherwise the spans contradict the claim.
    pub missing: bool,
    /// What was found, one sentence.
    pub message: String,
}

impl Finding {
    /// The spans at hand contradict the claim.
    pub(super) fn contradiction(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            missing: false,
            message: message.into(),
        }
    }

    /// Something that should be there is not.
    pub(super) fn missing(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            missing: true,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code.number(), self.message)
    }
}
