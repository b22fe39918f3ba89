//! The model of a run that every report renders: the events, folded.

mod fold;
mod headline;

use super::words::severity;
use crate::run::event::StepOutcome;
use crate::verify::{CheckResult, Role, Verdict, catalogue};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;

/// A run as reports see it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// Id of the run.
    pub run_id: String,
    /// Version of portproof.
    pub version: String,
    /// Name of the scenario.
    pub scenario: String,
    /// What the scenario says it proves.
    pub description: String,
    /// Digest of the scenario file.
    pub scenario_digest: String,
    /// Deviations put in on purpose.
    pub faults: Vec<String>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// Time it took, in milliseconds; until the last event where the run did not come to its end.
    pub elapsed_ms: u64,
    /// Exit code; `None` where the run did not come to its end.
    pub exit_code: Option<u8>,
    /// The signal that stopped it.
    pub interrupted: Option<String>,
    /// The clusters, in the order of their roles.
    pub clusters: Vec<ClusterSummary>,
    /// The steps, in the order they began.
    pub steps: Vec<StepSummary>,
    /// The verdicts: by check in the order of the catalogue, then by role, verdicts over all clusters last. Clusters are
    /// looked at side by side, so the order in which verdicts were reached differs from run to run.
    pub checks: Vec<CheckEntry>,
    /// How many checks reached which verdict.
    pub counts: Counts,
    /// Clean-up, where it was done.
    pub cleanup: Option<Cleanup>,
}

/// One cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSummary {
    /// Role in the scenario.
    pub role: Role,
    /// UID of the `kube-system` namespace.
    pub uid: String,
    /// Version of the API server.
    pub kubernetes: String,
    /// Where the cluster comes from.
    pub provider: String,
    /// GatewayClass of the stack.
    pub gateway_class: String,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepSummary {
    /// Id.
    pub id: String,
    /// Roles it ran on.
    pub roles: Vec<Role>,
    /// Time from the start of the run to its start, in milliseconds.
    pub offset_ms: u64,
    /// Time it took, in milliseconds.
    pub elapsed_ms: u64,
    /// How it ended; `None` where it did not.
    pub outcome: Option<StepOutcome>,
    /// What it said on the way.
    pub progress: Vec<String>,
}

/// One verdict and the step it belongs to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckEntry {
    /// Id of the step.
    pub step: String,
    /// The verdict.
    pub result: CheckResult,
}

impl CheckEntry {
    /// Where it stands in a report. A check that this version does not know stands behind those it knows; a check that was
    /// asked twice of one cluster keeps the order of the steps.
    fn place(&self) -> (usize, String, bool, Option<Role>) {
        let known = catalogue::ALL
            .iter()
            .position(|check| check.id == self.result.id);
        let role = self.result.role.clone();
        (
            known.unwrap_or(catalogue::ALL.len()),
            self.result.id.clone(),
            role.is_none(),
            role,
        )
    }
}

/// How many checks reached which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Proven to hold.
    pub passed: usize,
    /// Proven not to hold.
    pub failed: usize,
    /// Neither.
    pub inconclusive: usize,
    /// The infrastructure failed.
    pub error: usize,
    /// Not run.
    pub skipped: usize,
    /// Makes no sense there.
    pub not_applicable: usize,
}

/// What clean-up did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cleanup {
    /// Objects of the ledger removed.
    pub removed: u32,
    /// Objects that the control agents had removed before.
    pub by_agent: u32,
    /// What is left.
    pub left: Vec<String>,
    /// Data planes of deleted Gateways that were still ending by themselves.
    pub draining: Vec<String>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// Time it took, in milliseconds.
    pub elapsed_ms: u64,
}

impl Cleanup {
    /// Objects removed, whoever removed them.
    pub const fn removed_in_all(&self) -> u32 {
        self.removed + self.by_agent
    }

    /// Who removed how many, in words.
    pub fn shares(&self) -> String {
        format!(
            "{} by the control agents, {} by the ledger",
            self.by_agent, self.removed
        )
    }
}

impl RunSummary {
    /// Verdicts of one kind.
    pub fn with(&self, wanted: impl Fn(&Verdict) -> bool) -> impl Iterator<Item = &CheckResult> {
        self.checks
            .iter()
            .map(|entry| &entry.result)
            .filter(move |check| wanted(&check.verdict))
    }

    /// The verdict of a check on a cluster, or over all of them: the worst, where several steps asked for it.
    pub fn verdict(&self, id: &str, role: Option<&Role>) -> Option<&Verdict> {
        self.with(|_| true)
            .filter(|check| check.id == id && check.role.as_ref() == role)
            .map(|check| &check.verdict)
            .min_by_key(|verdict| severity(verdict))
    }

    /// Ids of the checks that have a verdict, each once, in the order of the report.
    pub fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<_> = self.with(|_| true).map(|check| check.id.as_str()).collect();
        ids.dedup();
        ids
    }

    /// Whether the log ends before the run does: what passed until then proves only itself.
    pub fn broke_off(&self) -> bool {
        !self.run_id.is_empty() && self.exit_code.is_none()
    }

    /// Ids of the checks that failed, each once.
    pub fn failed_ids(&self) -> BTreeSet<&str> {
        self.with(|verdict| matches!(verdict, Verdict::Failed { .. }))
            .map(|check| check.id.as_str())
            .collect()
    }
}

impl Counts {
    fn of(&mut self, verdict: &Verdict) -> &mut usize {
        match verdict {
            Verdict::Passed => &mut self.passed,
            Verdict::Failed { .. } => &mut self.failed,
            Verdict::Inconclusive { .. } => &mut self.inconclusive,
            Verdict::Error { .. } => &mut self.error,
            Verdict::Skipped { .. } => &mut self.skipped,
            Verdict::NotApplicable { .. } => &mut self.not_applicable,
        }
    }

    /// Each verdict with its count, the worst first; only those that occur.
    pub fn words(&self) -> Vec<(&'static str, usize)> {
        let all = [
            ("failed", self.failed),
            ("error", self.error),
            ("inconclusive", self.inconclusive),
            ("skipped", self.skipped),
            ("not applicable", self.not_applicable),
            ("passed", self.passed),
        ];
        all.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}
