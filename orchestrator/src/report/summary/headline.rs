//! A run in one sentence.

use super::super::words::{count, join, on, seconds};
use super::{Counts, RunSummary, StepSummary};
use crate::run::event::StepOutcome;
use crate::verify::{CheckResult, Verdict};

impl RunSummary {
    /// The run in one sentence, the worst first.
    pub fn headline(&self) -> String {
        if let Some(signal) = &self.interrupted {
            return format!(
                "The run was interrupted by {signal}; this report holds what it had found until then."
            );
        }
        let Counts {
            passed,
            failed,
            inconclusive,
            error,
            skipped,
            ..
        } = self.counts;
        match (failed, inconclusive + error, self.broken_step(), skipped) {
            (1.., _, _, _) => format!("It does not hold: {} failed.", self.named(is_failed)),
            (_, 1.., _, _) => format!(
                "No verdict: {} could not be decided.",
                self.named(is_undecided)
            ),
            (_, _, Some(step), _) => format!(
                "No verdict: the step {} failed before there was evidence.",
                step.id
            ),
            _ if self.broke_off() => format!(
                "No verdict: the run did not end. {} had passed where its log breaks off.",
                count(passed, "check")
            ),
            (_, _, _, 1..) => format!(
                "What ran passed, but {} did not run.",
                self.named(is_skipped)
            ),
            _ if passed == 0 => "Nothing was checked.".to_owned(),
            _ => format!(
                "Everything holds: {} passed{} in {}.",
                count(passed, "check"),
                self.place(),
                seconds(self.elapsed_ms)
            ),
        }
    }

    /// ` on clusters a and b`, or nothing.
    fn place(&self) -> String {
        match on(self.clusters.iter().map(|cluster| &cluster.role)) {
            place if place.is_empty() => place,
            place => format!(" {place}"),
        }
    }

    fn named(&self, wanted: fn(&Verdict) -> bool) -> String {
        join(&self.with(wanted).map(spoken).collect::<Vec<_>>(), 3)
    }

    fn broken_step(&self) -> Option<&StepSummary> {
        self.steps
            .iter()
            .find(|step| matches!(step.outcome, Some(StepOutcome::Error { .. })))
    }
}

const fn is_failed(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Failed { .. })
}

const fn is_undecided(verdict: &Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Inconclusive { .. } | Verdict::Error { .. }
    )
}

const fn is_skipped(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Skipped { .. })
}

/// `gateway/rollback on b`.
fn spoken(check: &CheckResult) -> String {
    check.role.as_ref().map_or_else(
        || check.id.clone(),
        |role| format!("{} on {role}", check.id),
    )
}
