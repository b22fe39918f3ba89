//! From events to the exit code of the process.

use crate::exit::Exit;
use crate::run::event::{Event, EventKind, StepOutcome};
use crate::verify::{CheckResult, Level, Verdict};

/// What the user asked to fail on, beyond MUST checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExitPolicy {
    /// Whether a failed SHOULD check fails the run.
    pub fail_on_should: bool,
}

/// The exit code that the events so far add up to; events after the checks, such as the clean-up, count as well.
///
/// The strongest statement wins: an interruption, then a failed MUST, then trouble. An inconclusive MUST counts as trouble:
/// what could not be proven is no pass. A skipped MUST or step leaves the run outstanding. Clean-up that left something
/// behind only shows where everything else passed.
pub fn exit(events: &[Event], policy: ExitPolicy) -> Exit {
    let tally = Tally::of(events);
    if let Some(exit) = tally.interrupted {
        return exit;
    }
    let ranked = [
        (tally.must_failed, Exit::MustFailed),
        (tally.trouble, Exit::Infrastructure),
        (tally.skipped, Exit::Outstanding),
        (
            tally.should_failed && policy.fail_on_should,
            Exit::ShouldFailed,
        ),
        (!tally.checked, Exit::NothingSelected),
        (tally.left_behind, Exit::CleanupIncomplete),
    ];
    ranked
        .into_iter()
        .find_map(|(holds, exit)| holds.then_some(exit))
        .unwrap_or(Exit::Passed)
}

#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent statement about the run"
)]
struct Tally {
    interrupted: Option<Exit>,
    must_failed: bool,
    should_failed: bool,
    trouble: bool,
    skipped: bool,
    checked: bool,
    left_behind: bool,
}

impl Tally {
    fn of(events: &[Event]) -> Self {
        let mut tally = Self::default();
        for event in events {
            tally.add(&event.kind);
        }
        tally
    }

    fn add(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Interrupted { signal } => {
                let exit = if signal == "SIGTERM" {
                    Exit::Terminated
                } else {
                    Exit::Interrupted
                };
                self.interrupted.get_or_insert(exit);
            }
            EventKind::CheckFinished { check, .. } => self.add_check(check),
            EventKind::StepFinished { outcome, .. } => match outcome {
                StepOutcome::Completed => {}
                StepOutcome::Error { .. } => self.trouble = true,
                StepOutcome::Skipped { .. } => self.skipped = true,
            },
            EventKind::CleanupFinished { left, .. } => self.left_behind |= !left.is_empty(),
            EventKind::RunStarted { .. }
            | EventKind::ClusterResolved { .. }
            | EventKind::StepStarted { .. }
            | EventKind::StepProgress { .. }
            | EventKind::CleanupStarted
            | EventKind::RunFinished { .. } => {}
        }
    }

    fn add_check(&mut self, check: &CheckResult) {
        // A check that makes no sense there has proven nothing.
        self.checked |= !matches!(check.verdict, Verdict::NotApplicable { .. });
        let must = check.level == Level::Must;
        match check.verdict {
            Verdict::Passed | Verdict::NotApplicable { .. } => {}
            Verdict::Failed { .. } if must => self.must_failed = true,
            Verdict::Failed { .. } => self.should_failed = true,
            Verdict::Error { .. } => self.trouble = true,
            Verdict::Inconclusive { .. } => self.trouble |= must,
            Verdict::Skipped { .. } => self.skipped |= must,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{event, passing_run};
    use crate::verify::catalogue::RUNTIME;

    fn with(kinds: impl IntoIterator<Item = EventKind>) -> Exit {
        let mut events = passing_run();
        events.extend(kinds.into_iter().map(event));
        exit(&events, ExitPolicy::default())
    }

    fn check(verdict: Verdict, level: Level) -> EventKind {
        let result = RUNTIME.decided(verdict, Vec::new(), serde_json::Value::Null);
        EventKind::CheckFinished {
            step: "s".into(),
            check: Box::new(CheckResult { level, ..result }),
        }
    }

    fn reason() -> String {
        "r".into()
    }

    fn step(outcome: StepOutcome) -> EventKind {
        EventKind::StepFinished {
            step: "s".into(),
            elapsed_ms: 1,
            outcome,
        }
    }

    fn cleanup(left: &[&str]) -> EventKind {
        EventKind::CleanupFinished {
            removed: 1,
            by_agent: 0,
            left: left.iter().map(ToString::to_string).collect(),
            draining: vec!["b: Pod x".into()],
            notes: vec!["a: n".into()],
            elapsed_ms: 1,
        }
    }

    #[test]
    fn a_run_in_which_everything_passed_passes() {
        assert_eq!(with([]), Exit::Passed);
        assert_eq!(with([cleanup(&[])]), Exit::Passed);
        assert_eq!(
            with([check(
                Verdict::NotApplicable { reason: reason() },
                Level::Must
            )]),
            Exit::Passed
        );
    }

    #[test]
    fn each_verdict_of_a_must_has_its_code() {
        for (verdict, exit) in [
            (Verdict::Failed { reason: reason() }, Exit::MustFailed),
            (Verdict::Error { reason: reason() }, Exit::Infrastructure),
            (
                Verdict::Inconclusive { reason: reason() },
                Exit::Infrastructure,
            ),
            (Verdict::Skipped { reason: reason() }, Exit::Outstanding),
        ] {
            assert_eq!(with([check(verdict, Level::Must)]), exit);
        }
    }

    #[test]
    fn a_should_only_fails_the_run_when_asked() {
        let failed = check(Verdict::Failed { reason: reason() }, Level::Should);
        assert_eq!(with([failed.clone()]), Exit::Passed);
        let mut events = passing_run();
        events.push(event(failed));
        assert_eq!(
            exit(
                &events,
                ExitPolicy {
                    fail_on_should: true
                }
            ),
            Exit::ShouldFailed
        );
    }

    #[test]
    fn a_proven_failure_weighs_more_than_trouble_and_left_overs() {
        let failed = check(Verdict::Failed { reason: reason() }, Level::Must);
        let trouble = step(StepOutcome::Error { message: reason() });
        assert_eq!(
            with([trouble.clone(), failed, cleanup(&["a: Namespace x"])]),
            Exit::MustFailed
        );
        assert_eq!(
            with([trouble, cleanup(&["a: Namespace x"])]),
            Exit::Infrastructure
        );
        assert_eq!(
            with([cleanup(&["a: Namespace x"])]),
            Exit::CleanupIncomplete
        );
    }

    #[test]
    fn an_interruption_is_told_by_its_first_signal() {
        let signal = |name: &str| EventKind::Interrupted {
            signal: name.into(),
        };
        assert_eq!(
            with([signal("SIGINT"), signal("SIGTERM")]),
            Exit::Interrupted
        );
        assert_eq!(with([signal("SIGTERM")]), Exit::Terminated);
    }

    #[test]
    fn a_run_in_which_no_check_was_applicable_claims_nothing() {
        let kind = check(Verdict::NotApplicable { reason: reason() }, Level::Must);
        assert_eq!(
            exit(&[event(kind)], ExitPolicy::default()),
            Exit::NothingSelected
        );
    }

    #[test]
    fn a_run_without_any_check_claims_nothing() {
        assert_eq!(exit(&[], ExitPolicy::default()), Exit::NothingSelected);
        assert_eq!(
            with([step(StepOutcome::Skipped { reason: reason() })]),
            Exit::Outstanding
        );
    }
}
