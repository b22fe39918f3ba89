//! Every check by its stable id: what it claims and how binding it is.

use super::{CheckResult, EvidenceClass, Fact, Level, Role, Verdict};
use serde_json::Value;

/// A check as it stands in reports, whatever its verdict.
#[derive(Debug, PartialEq, Eq)]
pub struct Check {
    /// Stable id, `family/name`.
    pub id: &'static str,
    /// How binding it is.
    pub level: Level,
    /// The claim in one sentence.
    pub claim: &'static str,
    /// What to look at first when the claim does not hold, one sentence.
    pub remedy: &'static str,
}

/// `portability/import-identical`.
pub const IMPORT_IDENTICAL: Check = Check {
    id: "portability/import-identical",
    level: Level::Must,
    claim: "What the target cluster stores is what the source cluster stored: nothing was changed on the way.",
    remedy: "Compare the named objects on both clusters: an admission webhook, a default or another controller rewrites them between export and storage.",
};
/// `portability/tools-discovered`.
pub const TOOLS_DISCOVERED: Check = Check {
    id: "portability/tools-discovered",
    level: Level::Must,
    claim: "The agent discovers every carried tool over MCP and calls each one.",
    remedy: "Look at the status of the named Tools on that cluster and at the log of its tool gateway: both say why a tool is not served.",
};
/// `portability/output-consistent`.
pub const OUTPUT_CONSISTENT: Check = Check {
    id: "portability/output-consistent",
    level: Level::Must,
    claim: "The same tasks get the same answers, through the same tool calls, on both clusters.",
    remedy: "Compare the named calls on both clusters: the first one that differs leads to the service or the data that differs.",
};
/// `gateway/canary-weight`.
pub const CANARY_WEIGHT: Check = Check {
    id: "gateway/canary-weight",
    level: Level::Must,
    claim: "The gateway splits model traffic as the route's weights say, and no request fails.",
    remedy: "Compare the weights of the HTTPRoute on that cluster with those asked for; where requests failed, look at the log of its gateway.",
};
/// `gateway/rollback`.
pub const ROLLBACK: Check = Check {
    id: "gateway/rollback",
    level: Level::Must,
    claim: "After the rollback the canary gets no more requests, and no request fails on the way.",
    remedy: "Look at the log of that cluster's gateway around the rollback: when it took over the new weights, and which requests it dropped meanwhile.",
};
/// `sandbox/runtime`.
pub const RUNTIME: Check = Check {
    id: "sandbox/runtime",
    level: Level::Must,
    claim: "Untrusted code does not run on the node's kernel.",
    remedy: "Look up which handler the interpreter's RuntimeClass names and what the node's containerd runs for it: it must be a sandbox, not runc.",
};
/// `sandbox/egress-basic`.
pub const EGRESS_BASIC: Check = Check {
    id: "sandbox/egress-basic",
    level: Level::Must,
    claim: "Untrusted code reaches its one allowed peer and nothing else, over TCP and UDP.",
    remedy: "Check that the egress policy selects the interpreter's pod, and that this cluster's network enforces policies, for UDP as well.",
};
/// `traces/plan-to-tool`.
pub const PLAN_TO_TOOL: Check = Check {
    id: "traces/plan-to-tool",
    level: Level::Must,
    claim: "One trace leads from the request over the agent's plan to each tool call and into the process that ran it.",
    remedy: "Go to the first span below that is missing or in the wrong place: the process above it does not hand on `traceparent`, or its own does not read it.",
};

/// Every check, in the order of reports.
pub const ALL: [&Check; 8] = [
    &IMPORT_IDENTICAL,
    &TOOLS_DISCOVERED,
    &OUTPUT_CONSISTENT,
    &CANARY_WEIGHT,
    &ROLLBACK,
    &RUNTIME,
    &EGRESS_BASIC,
    &PLAN_TO_TOOL,
];

/// The check of that id.
pub fn find(id: &str) -> Option<&'static Check> {
    ALL.into_iter().find(|check| check.id == id)
}

impl Check {
    /// The family: the part of the id before the slash.
    pub fn family(&self) -> &'static str {
        self.id.split('/').next().unwrap_or(self.id)
    }

    /// A verdict that rests on evidence of the thing itself.
    pub fn decided(&self, verdict: Verdict, facts: Vec<Fact>, evidence: Value) -> CheckResult {
        CheckResult {
            id: self.id.to_owned(),
            role: None,
            level: self.level,
            verdict,
            evidence_class: EvidenceClass::Real,
            claim: self.claim.to_owned(),
            facts,
            evidence,
        }
    }

    /// The infrastructure failed before there was evidence.
    pub fn error(&self, reason: impl Into<String>) -> CheckResult {
        self.without_evidence(Verdict::Error {
            reason: reason.into(),
        })
    }

    /// The check was not run.
    pub fn skipped(&self, reason: impl Into<String>) -> CheckResult {
        self.without_evidence(Verdict::Skipped {
            reason: reason.into(),
        })
    }

    fn without_evidence(&self, verdict: Verdict) -> CheckResult {
        let result = self.decided(verdict, Vec::new(), Value::Null);
        CheckResult {
            evidence_class: EvidenceClass::NotExercised,
            ..result
        }
    }
}

impl CheckResult {
    /// The same verdict, spoken of the cluster in `role`.
    #[must_use]
    pub fn on(self, role: &Role) -> Self {
        Self {
            role: Some(role.clone()),
            ..self
        }
    }

    /// The family: the part of the id before the slash.
    pub fn family(&self) -> &str {
        self.id.split('/').next().unwrap_or(&self.id)
    }
}

/// `failed`, with what contradicts the claim.
pub(super) fn failed(reason: impl Into<String>) -> Verdict {
    Verdict::Failed {
        reason: reason.into(),
    }
}

/// `inconclusive`, with what is missing.
pub(super) fn inconclusive(reason: impl Into<String>) -> Verdict {
    Verdict::Inconclusive {
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_check_has_an_id_of_its_own_and_is_found_by_it() {
        let ids: BTreeSet<_> = ALL.iter().map(|check| check.id).collect();
        assert_eq!(ids.len(), ALL.len());
        assert!(ALL.iter().all(|check| find(check.id) == Some(*check)));
    }

    #[test]
    fn a_check_that_did_not_run_never_claims_to_have_looked() {
        let result = RUNTIME.skipped("the step did not run");
        assert_eq!(result.evidence_class, EvidenceClass::NotExercised);
        assert_ne!(result.verdict, Verdict::Passed);
    }
}
