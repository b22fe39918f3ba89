//! The model of a run that every report renders: the events, folded.

use super::words::{join, list_roles, seconds};
use crate::run::event::{Event, EventKind, StepOutcome};
use crate::verify::{CheckResult, Role, Verdict};
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
    /// The verdicts, in the order they were reached.
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
    /// Folds the events of one run.
    pub fn of(events: &[Event]) -> Self {
        let mut summary = Self::default();
        for event in events {
            summary.add(event);
        }
        summary
            .clusters
            .sort_by(|one, other| one.role.cmp(&other.role));
        summary
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each kind of event")]
    fn add(&mut self, event: &Event) {
        let offset_ms = self.offset_ms(event.at);
        self.elapsed_ms = self.elapsed_ms.max(offset_ms);
        match &event.kind {
            EventKind::RunStarted { .. } => self.start(event),
            EventKind::ClusterResolved {
                role,
                uid,
                kubernetes,
                provider,
                gateway_class,
            } => {
                self.clusters.push(ClusterSummary {
                    role: role.clone(),
                    uid: uid.clone(),
                    kubernetes: kubernetes.clone(),
                    provider: provider.clone(),
                    gateway_class: gateway_class.clone(),
                });
            }
            EventKind::StepStarted { step, roles } => self.start_step(step, roles, offset_ms),
            EventKind::StepProgress {
                step,
                role,
                message,
            } => self.progress(step, role.as_ref(), message),
            EventKind::CheckFinished { step, check } => self.check(step, check),
            EventKind::StepFinished {
                step,
                elapsed_ms,
                outcome,
            } => {
                // A step that was skipped never began.
                if self.step(step).is_none() {
                    self.start_step(step, &[], offset_ms);
                }
                if let Some(found) = self.step(step) {
                    found.elapsed_ms = *elapsed_ms;
                    found.outcome = Some(outcome.clone());
                }
            }
            EventKind::Interrupted { signal } => {
                self.interrupted.get_or_insert_with(|| signal.clone());
            }
            EventKind::CleanupFinished {
                removed,
                by_agent,
                left,
                draining,
                notes,
                elapsed_ms,
            } => {
                self.cleanup = Some(Cleanup {
                    removed: *removed,
                    by_agent: *by_agent,
                    left: left.clone(),
                    draining: draining.clone(),
                    notes: notes.clone(),
                    elapsed_ms: *elapsed_ms,
                });
            }
            EventKind::CleanupStarted => {}
            EventKind::RunFinished {
                exit_code,
                elapsed_ms,
            } => {
                self.exit_code = Some(*exit_code);
                self.elapsed_ms = *elapsed_ms;
            }
        }
    }

    fn start(&mut self, event: &Event) {
        if let EventKind::RunStarted {
            run_id,
            version,
            scenario,
            description,
            scenario_digest,
            faults,
            ..
        } = &event.kind
        {
            self.run_id.clone_from(run_id);
            self.version.clone_from(version);
            self.scenario.clone_from(scenario);
            self.description.clone_from(description);
            self.scenario_digest.clone_from(scenario_digest);
            self.faults.clone_from(faults);
            self.started_at = Some(event.at);
        }
    }

    fn offset_ms(&self, at: Timestamp) -> u64 {
        self.started_at.map_or(0, |start| {
            u64::try_from(at.duration_since(start).as_millis()).unwrap_or_default()
        })
    }

    fn step(&mut self, id: &str) -> Option<&mut StepSummary> {
        self.steps.iter_mut().find(|step| step.id == id)
    }

    fn start_step(&mut self, id: &str, roles: &[Role], offset_ms: u64) {
        self.steps.push(StepSummary {
            id: id.to_owned(),
            roles: roles.to_vec(),
            offset_ms,
            elapsed_ms: 0,
            outcome: None,
            progress: Vec::new(),
        });
    }

    fn progress(&mut self, step: &str, role: Option<&Role>, message: &str) {
        let line = role.map_or_else(|| message.to_owned(), |role| format!("{role}: {message}"));
        if let Some(step) = self.step(step) {
            step.progress.push(line);
        }
    }

    fn check(&mut self, step: &str, check: &CheckResult) {
        *self.counts.of(&check.verdict) += 1;
        self.checks.push(CheckEntry {
            step: step.to_owned(),
            result: check.clone(),
        });
    }

    /// Verdicts of one kind.
    pub fn with(&self, wanted: impl Fn(&Verdict) -> bool) -> impl Iterator<Item = &CheckResult> {
        self.checks
            .iter()
            .map(|entry| &entry.result)
            .filter(move |check| wanted(&check.verdict))
    }

    /// Ids of the checks that failed, each once.
    pub fn failed_ids(&self) -> BTreeSet<&str> {
        self.with(|verdict| matches!(verdict, Verdict::Failed { .. }))
            .map(|check| check.id.as_str())
            .collect()
    }

    /// Whether the log ends before the run does: what passed until then proves only itself.
    pub fn broke_off(&self) -> bool {
        !self.run_id.is_empty() && self.exit_code.is_none()
    }

    /// The run in one sentence, the worst first.
    pub fn headline(&self) -> String {
        if let Some(signal) = &self.interrupted {
            return format!(
                "The run was interrupted by {signal}; this report holds what it had found until then."
            );
        }
        let named = |wanted: fn(&Verdict) -> bool| {
            join(&self.with(wanted).map(spoken).collect::<Vec<_>>(), 3)
        };
        let Counts {
            passed,
            failed,
            inconclusive,
            error,
            skipped,
            ..
        } = self.counts;
        let broken: Vec<_> = self
            .steps
            .iter()
            .filter(|step| matches!(step.outcome, Some(StepOutcome::Error { .. })))
            .collect();
        match (failed, inconclusive + error, broken.first(), skipped) {
            (1.., _, _, _) => format!(
                "It does not hold: {} failed.",
                named(|verdict| matches!(verdict, Verdict::Failed { .. }))
            ),
            (_, 1.., _, _) => format!(
                "No verdict: {} could not be decided.",
                named(|verdict| matches!(
                    verdict,
                    Verdict::Inconclusive { .. } | Verdict::Error { .. }
                ))
            ),
            (_, _, Some(step), _) => format!(
                "No verdict: the step {} failed before there was evidence.",
                step.id
            ),
            _ if self.broke_off() => format!(
                "No verdict: the run did not end. {passed} checks had passed where its log breaks off."
            ),
            (_, _, _, 1..) => format!(
                "What ran passed, but {} did not run.",
                named(|verdict| matches!(verdict, Verdict::Skipped { .. }))
            ),
            _ if passed == 0 => "Nothing was checked.".to_owned(),
            _ => format!(
                "Everything holds: {passed} checks passed{} in {}.",
                list_roles(&self.clusters),
                seconds(self.elapsed_ms)
            ),
        }
    }
}

/// `gateway/rollback on b`.
fn spoken(check: &CheckResult) -> String {
    check.role.as_ref().map_or_else(
        || check.id.clone(),
        |role| format!("{} on {role}", check.id),
    )
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
