//! What a reader must know first: everything that is not a pass, where it is, why, and what to do about it.

use super::summary::{RunSummary, StepSummary};
use super::words::{join, on, severity};
use crate::run::event::StepOutcome;
use crate::verify::{CheckResult, Verdict, catalogue};

/// Most left-overs named in one sentence.
const NAMED: usize = 4;

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attention {
    /// How bad it is: the word of a verdict, or `left behind`.
    pub(super) word: &'static str,
    /// What it is about.
    pub(super) subject: Subject,
    /// On which clusters, in words; empty where it is about the run.
    pub(super) place: String,
    /// Why.
    pub(super) reason: String,
    /// What to do first.
    pub(super) advice: String,
}

/// What needs attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// The check of that id.
    Check(String),
    /// The step of that id.
    Step(String),
    /// The run.
    Run,
    /// The clean-up.
    Cleanup,
}

/// Everything that needs attention, the worst first; what a check says alike of several clusters is said once.
pub(super) fn attention(run: &RunSummary) -> Vec<Attention> {
    let (failed, undecided): (Vec<_>, Vec<_>) = alike(run)
        .iter()
        .filter_map(|group| of_check(group))
        .partition(|found| found.word == "failed");
    let mut all = failed;
    all.extend(run.steps.iter().filter_map(of_step));
    all.extend(undecided);
    all.extend(of_end(run));
    all.extend(of_cleanup(run));
    all
}

/// What to do about a verdict first; `None` where there is nothing to do.
pub(super) fn advice(check: &CheckResult) -> Option<&'static str> {
    match check.verdict {
        Verdict::Passed | Verdict::NotApplicable { .. } => None,
        Verdict::Failed { .. } => Some(
            catalogue::find(&check.id)
                .map_or("Read the facts and the evidence of this check.", |check| {
                    check.remedy
                }),
        ),
        Verdict::Inconclusive { .. } => Some(
            "This proves nothing about the stack either way: remove what is named here and run again.",
        ),
        Verdict::Error { .. } => Some(
            "The infrastructure failed before there was evidence: repair what is named here and run again.",
        ),
        Verdict::Skipped { .. } => Some("Repair what kept it from running and run again."),
    }
}

/// The verdicts, the worst first, in groups that say the same of several clusters.
fn alike(run: &RunSummary) -> Vec<Vec<&CheckResult>> {
    let mut checks: Vec<_> = run.with(|_| true).collect();
    checks.sort_by_key(|check| severity(&check.verdict));
    let mut groups: Vec<Vec<&CheckResult>> = Vec::new();
    for check in checks {
        let says_the_same = |group: &&mut Vec<&CheckResult>| {
            let first = group.first();
            first.is_some_and(|first| (&first.id, &first.verdict) == (&check.id, &check.verdict))
        };
        match groups.iter_mut().find(says_the_same) {
            Some(group) => group.push(check),
            None => groups.push(vec![check]),
        }
    }
    groups
}

fn of_check(group: &[&CheckResult]) -> Option<Attention> {
    let first = group.first()?;
    let roles: Vec<_> = group
        .iter()
        .filter_map(|check| check.role.as_ref())
        .collect();
    Some(Attention {
        word: first.verdict.word(),
        subject: Subject::Check(first.id.clone()),
        place: if roles.is_empty() {
            "across clusters".to_owned()
        } else {
            on(roles)
        },
        reason: first.verdict.reason()?.to_owned(),
        advice: advice(first)?.to_owned(),
    })
}

fn of_step(step: &StepSummary) -> Option<Attention> {
    let Some(StepOutcome::Error { message }) = &step.outcome else {
        return None;
    };
    Some(Attention {
        word: "error",
        subject: Subject::Step(step.id.clone()),
        place: on(&step.roles),
        reason: message.clone(),
        advice: "The infrastructure failed: repair what is named here and run again.".to_owned(),
    })
}

fn of_end(run: &RunSummary) -> Option<Attention> {
    (run.broke_off() && run.cleanup.is_none()).then(|| Attention {
        word: "error",
        subject: Subject::Run,
        place: String::new(),
        reason: "its log breaks off before its clean-up: what it created may still be there"
            .to_owned(),
        advice: sweep(run),
    })
}

fn of_cleanup(run: &RunSummary) -> Option<Attention> {
    let left = &run.cleanup.as_ref()?.left;
    (!left.is_empty()).then(|| Attention {
        word: "left behind",
        subject: Subject::Cleanup,
        place: String::new(),
        reason: join(left, NAMED),
        advice: sweep(run),
    })
}

fn sweep(run: &RunSummary) -> String {
    format!(
        "`portproof cleanup {}` removes what the run created, and nothing else.",
        run.run_id
    )
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{failing_run, passing_run};
    use super::*;

    #[test]
    fn a_run_in_which_everything_passed_needs_no_attention() {
        assert_eq!(attention(&RunSummary::of(&passing_run())), []);
    }

    #[test]
    fn proven_failures_come_first_and_every_line_says_what_to_do() {
        let found = attention(&RunSummary::of(&failing_run()));
        let words: Vec<_> = found.iter().map(|it| it.word).collect();
        let first_other = words.iter().position(|word| *word != "failed").unwrap();
        assert!(!words[first_other..].contains(&"failed"), "{words:?}");
        for it in &found {
            assert!(it.advice.len() > 10 && !it.reason.is_empty(), "{it:?}");
        }
    }

    #[test]
    fn what_is_left_behind_is_told_with_the_command_that_removes_it() {
        let found = attention(&RunSummary::of(&failing_run()));
        let left = found.last().unwrap();
        assert_eq!(left.subject, Subject::Cleanup);
        assert!(left.advice.contains("portproof cleanup r7k2m9x4"));
    }

    #[test]
    fn the_same_verdict_on_two_clusters_is_said_once() {
        let mut run = RunSummary::of(&passing_run());
        for entry in &mut run.checks {
            if entry.result.id == "sandbox/runtime" {
                entry.result.verdict = Verdict::Inconclusive { reason: "x".into() };
            }
        }
        let [one] = attention(&run).try_into().unwrap();
        assert_eq!(one.place, "on clusters a and b");
    }

    #[test]
    fn a_run_whose_log_breaks_off_is_told_to_clean_up() {
        let events = passing_run();
        let run = RunSummary::of(&events[..8]);
        let [one] = attention(&run).try_into().unwrap();
        assert_eq!(one.subject, Subject::Run);
        assert!(one.advice.contains("portproof cleanup"));
    }
}
