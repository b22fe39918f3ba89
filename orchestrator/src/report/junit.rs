//! JUnit XML: one suite a check family, and one for the steps, so that trouble without any check is seen as well.
//!
//! Names never change from run to run: pipelines follow them. Only a proven failure is a `failure`; an inconclusive check
//! is an `error`, because nothing was proven.

use super::summary::{CheckEntry, RunSummary, StepSummary};
use super::words::evidence_class;
use crate::run::event::StepOutcome;
use crate::verify::{CheckResult, Verdict};
use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};
use std::fmt::Write as _;
use std::io;
use std::time::Duration;

/// The XML could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the JUnit report cannot be written")]
pub struct JunitError(#[source] SerializeError);

/// Writes the run as JUnit XML.
///
/// # Errors
/// When `out` refuses it.
pub fn junit(run: &RunSummary, out: impl io::Write) -> Result<(), JunitError> {
    let mut report = Report::new(format!("portproof {}", run.scenario));
    report.set_time(Duration::from_millis(run.elapsed_ms));
    report.add_test_suite(steps(run));
    report.add_test_suites(families(run));
    report.serialize(out).map_err(JunitError)
}

/// The families in the order they first occur.
fn families(run: &RunSummary) -> Vec<TestSuite> {
    let mut names: Vec<&str> = Vec::new();
    for entry in &run.checks {
        if !names.contains(&entry.result.family()) {
            names.push(entry.result.family());
        }
    }
    names.into_iter().map(|name| family(name, run)).collect()
}

fn family(name: &str, run: &RunSummary) -> TestSuite {
    let mut suite = TestSuite::new(name);
    suite.add_property(("scenario", run.scenario.as_str()));
    suite.add_property(("run", run.run_id.as_str()));
    if !run.faults.is_empty() {
        suite.add_property(("faults", run.faults.join(", ").as_str()));
    }
    suite.add_test_cases(
        run.checks
            .iter()
            .filter(|entry| entry.result.family() == name)
            .map(check),
    );
    suite
}

fn check(entry: &CheckEntry) -> TestCase {
    let check = &entry.result;
    let name = check
        .role
        .as_ref()
        .map_or_else(|| check.id.clone(), |role| format!("{}[{role}]", check.id));
    let mut case = TestCase::new(name, status(check));
    case.set_classname(check.family());
    case.add_property(("level", check.level.word()));
    case.add_property(("evidence", evidence_class(check.evidence_class)));
    case.add_property(("step", entry.step.as_str()));
    case.set_system_out(facts(check));
    case
}

fn status(check: &CheckResult) -> TestCaseStatus {
    let mut status = match check.verdict {
        Verdict::Passed => return TestCaseStatus::success(),
        Verdict::Failed { .. } => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Inconclusive { .. } | Verdict::Error { .. } => {
            TestCaseStatus::non_success(NonSuccessKind::Error)
        }
        Verdict::Skipped { .. } | Verdict::NotApplicable { .. } => TestCaseStatus::skipped(),
    };
    status.set_message(check.verdict.reason().unwrap_or_default());
    status.set_type(check.verdict.word());
    status
}

fn facts(check: &CheckResult) -> String {
    let mut text = format!("{}\n", check.claim);
    for fact in &check.facts {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{}: {}", fact.label, fact.value);
    }
    text
}

fn steps(run: &RunSummary) -> TestSuite {
    let mut suite = TestSuite::new("steps");
    suite.set_time(Duration::from_millis(run.elapsed_ms));
    suite.add_test_cases(run.steps.iter().map(step));
    if run.broke_off() {
        let error = TestCaseStatus::non_success(NonSuccessKind::Error);
        let message = "the run did not end: its log breaks off";
        let mut case = TestCase::new("end", described(error, message, "error"));
        case.set_classname("steps");
        suite.add_test_case(case);
    }
    suite
}

fn step(step: &StepSummary) -> TestCase {
    let status = match &step.outcome {
        Some(StepOutcome::Completed) => TestCaseStatus::success(),
        Some(StepOutcome::Skipped { reason }) => {
            described(TestCaseStatus::skipped(), reason, "skipped")
        }
        Some(StepOutcome::Error { message }) => described(
            TestCaseStatus::non_success(NonSuccessKind::Error),
            message,
            "error",
        ),
        None => {
            let message = "the run ended before the step did";
            described(
                TestCaseStatus::non_success(NonSuccessKind::Error),
                message,
                "error",
            )
        }
    };
    let mut case = TestCase::new(step.id.as_str(), status);
    case.set_classname("steps");
    case.set_time(Duration::from_millis(step.elapsed_ms));
    case.set_system_out(step.progress.join("\n"));
    case
}

fn described(mut status: TestCaseStatus, message: &str, kind: &str) -> TestCaseStatus {
    status.set_message(message);
    status.set_type(kind);
    status
}
