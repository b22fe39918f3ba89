//! The vocabulary of verdicts: what a check can say, how sure it is and what it rests on.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A cluster's name inside a scenario (`a`, `b`, ...); reports speak of roles, never of kubeconfig contexts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Role(String);

impl Role {
    /// Makes a role of a lower-case name of at most eight letters and digits that begins with a letter.
    ///
    /// # Errors
    /// [`InvalidRole`] for any other text.
    pub fn new(name: &str) -> Result<Self, InvalidRole> {
        let well_formed = name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.len() <= 8
            && name
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit());
        if well_formed {
            Ok(Self(name.to_owned()))
        } else {
            Err(InvalidRole {
                name: name.to_owned(),
            })
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that cannot name a cluster role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` cannot be a cluster role: use at most eight lower-case letters and digits, a letter first"
)]
pub struct InvalidRole {
    /// The text.
    pub name: String,
}

/// How binding a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Its failure blocks the level.
    Must,
    /// Its failure warns.
    Should,
}

impl Level {
    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
        }
    }
}

/// What kind of thing was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceClass {
    /// The thing itself.
    Real,
    /// A device driver without the device.
    SimulatedDevice,
    /// A node without a kubelet.
    SimulatedNode,
    /// The same hardware computing in another number format.
    NumericsVariant,
    /// Nothing ran.
    NotExercised,
}

/// What a check says. Only proof passes: trouble on the way is an error or inconclusive, never a pass and never a fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Verdict {
    /// Proven to hold.
    Passed,
    /// Proven not to hold.
    Failed {
        /// What contradicts the claim, one sentence.
        reason: String,
    },
    /// The evidence allows neither.
    Inconclusive {
        /// What is missing.
        reason: String,
    },
    /// Not run.
    Skipped {
        /// Why not.
        reason: String,
    },
    /// Makes no sense on this cluster.
    NotApplicable {
        /// Why not.
        reason: String,
    },
    /// The infrastructure failed before there was evidence.
    Error {
        /// What failed.
        reason: String,
    },
}

impl Verdict {
    /// The word for people and machine formats.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed { .. } => "failed",
            Self::Inconclusive { .. } => "inconclusive",
            Self::Skipped { .. } => "skipped",
            Self::NotApplicable { .. } => "not applicable",
            Self::Error { .. } => "error",
        }
    }

    /// Why the verdict is not a pass; `None` for a pass.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Passed => None,
            Self::Failed { reason }
            | Self::Inconclusive { reason }
            | Self::Skipped { reason }
            | Self::NotApplicable { reason }
            | Self::Error { reason } => Some(reason),
        }
    }
}

/// One fact a verdict rests on, for people: a label and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What was looked at, for example `canary share`.
    pub label: String,
    /// What was seen, for example `10.1 % of 4,000 (95 % Wilson interval 9.2 to 11.0 %)`.
    pub value: String,
}

impl Fact {
    /// A fact of any displayable value.
    pub fn new(label: &str, value: impl fmt::Display) -> Self {
        Self {
            label: label.to_owned(),
            value: value.to_string(),
        }
    }
}

/// One verdict with a stable id, its level and its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Stable id, for example `gateway/canary-weight`.
    pub id: String,
    /// The cluster it speaks of; `None` for a verdict over both.
    pub role: Option<Role>,
    /// How binding it is.
    pub level: Level,
    /// What it says.
    pub verdict: Verdict,
    /// What kind of thing was looked at.
    pub evidence_class: EvidenceClass,
    /// The claim in one sentence, the same whatever the verdict.
    pub claim: String,
    /// The facts it rests on, in the order people should read them.
    pub facts: Vec<Fact>,
    /// The raw evidence for machines.
    pub evidence: serde_json::Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_short_lower_case_names() {
        assert!(Role::new("a").is_ok() && Role::new("edge2").is_ok());
        for bad in ["", "A", "2a", "a-b", "toolongname"] {
            assert!(Role::new(bad).is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn verdicts_are_written_with_their_reason() {
        let verdict = Verdict::Failed { reason: "x".into() };
        assert_eq!(
            serde_json::to_string(&verdict).unwrap(),
            r#"{"outcome":"failed","reason":"x"}"#
        );
    }
}
