//! `portability/output-consistent`: the agent on the target does what it did on the source.

use super::difference::{close, differences};
use crate::verify::catalogue::{OUTPUT_CONSISTENT, failed, inconclusive};
use crate::verify::evidence::{CallOutcome, TaskTranscript, ToolCall};
use crate::verify::measure::{count, list};
use crate::verify::{CheckResult, Fact, Verdict};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How equal equal is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutputGoal {
    /// Numbers count as equal when they differ by at most this part of the larger one.
    pub relative_tolerance: f64,
}

impl Default for OutputGoal {
    /// Room for another order of floating-point additions and for nothing else.
    fn default() -> Self {
        Self {
            relative_tolerance: 1e-9,
        }
    }
}

/// What the comparison of one task says.
enum Outcome {
    Same,
    Differs(Vec<String>),
    Open(String),
    Trouble(String),
}

/// Passes when every task was answered on both clusters with the same text, through the same calls with the same
/// arguments and results. Transcripts hold calls in the order of the plan, so that calls that ran side by side are
/// compared with their counterparts whichever of them came back first. A tool that failed on one side only is a
/// difference; anything else that kept a task from its answer is no verdict.
pub fn output_consistent(
    a: &[TaskTranscript],
    b: &[TaskTranscript],
    goal: OutputGoal,
) -> CheckResult {
    let outcomes: BTreeMap<_, _> = pairs(a, b)
        .into_iter()
        .map(|(task, pair)| (task, compare(pair, goal)))
        .collect();
    let evidence = json!({
        "relativeTolerance": goal.relative_tolerance,
        "tasks": outcomes.iter().map(|(task, outcome)| outcome.evidence(task, a, b)).collect::<Vec<_>>(),
    });
    let calls = a.iter().map(|task| task.calls.len()).sum();
    OUTPUT_CONSISTENT.decided(judge(&outcomes, calls), facts(&outcomes, a, goal), evidence)
}

/// What each side did with one task; more than once when its id is not unique.
type Pair<'a> = (Vec<&'a TaskTranscript>, Vec<&'a TaskTranscript>);

fn pairs<'a>(a: &'a [TaskTranscript], b: &'a [TaskTranscript]) -> BTreeMap<&'a str, Pair<'a>> {
    let mut pairs: BTreeMap<&str, Pair<'a>> = BTreeMap::new();
    for task in a {
        pairs.entry(&task.task_id).or_default().0.push(task);
    }
    for task in b {
        pairs.entry(&task.task_id).or_default().1.push(task);
    }
    pairs
}

fn judge(outcomes: &BTreeMap<&str, Outcome>, calls: usize) -> Verdict {
    let sentences = |wanted: fn(&Outcome) -> Option<String>| -> Vec<String> {
        outcomes
            .iter()
            .filter_map(|(task, outcome)| Some(format!("task `{task}`: {}", wanted(outcome)?)))
            .collect()
    };
    let differing = sentences(|outcome| match outcome {
        Outcome::Differs(differences) => Some(list(differences, 2)),
        _ => None,
    });
    let trouble = sentences(|outcome| match outcome {
        Outcome::Trouble(reason) => Some(reason.clone()),
        _ => None,
    });
    let open = sentences(|outcome| match outcome {
        Outcome::Open(reason) => Some(reason.clone()),
        _ => None,
    });
    match (differing.as_slice(), trouble.as_slice(), open.as_slice()) {
        ([], [], []) if outcomes.is_empty() => inconclusive("no task was run"),
        ([], [], []) if calls == 0 => {
            inconclusive("no task made a tool call, so there are none to compare")
        }
        ([], [], []) => Verdict::Passed,
        ([], [], open) => inconclusive(list(open, 3)),
        ([], trouble, _) => Verdict::Error {
            reason: list(trouble, 3),
        },
        (differing, _, _) => failed(list(differing, 3)),
    }
}

fn compare((a, b): Pair<'_>, goal: OutputGoal) -> Outcome {
    let (a, b) = match (a.as_slice(), b.as_slice()) {
        ([a], [b]) => (*a, *b),
        ([], _) => return Outcome::Open("it was not run on the source".to_owned()),
        (_, []) => return Outcome::Open("it was not run on the target".to_owned()),
        _ => return Outcome::Open("it was run more than once on a cluster".to_owned()),
    };
    match (&a.answer, &b.answer) {
        (Some(_), Some(_)) => compare_work(a, b, goal),
        (None, None) => Outcome::Open(format!("neither cluster answered it: {}", failure(a))),
        (None, Some(_)) => unanswered(a, "source"),
        (Some(_), None) => unanswered(b, "target"),
    }
}

/// A tool that answers with a failure is behaviour; a task that broke off without one, or because no answer came, is
/// trouble of the infrastructure.
fn unanswered(task: &TaskTranscript, side: &str) -> Outcome {
    let broken: Vec<_> = task
        .calls
        .iter()
        .filter(|call| call.is_error && !call.outcome.is_some_and(CallOutcome::is_lost))
        .map(|call| call.tool.as_str())
        .collect();
    if broken.is_empty() {
        Outcome::Trouble(format!("it broke off on the {side}: {}", failure(task)))
    } else {
        Outcome::Differs(vec![format!(
            "{} failed on the {side} only: {}",
            list(&broken, 3),
            failure(task)
        )])
    }
}

fn failure(task: &TaskTranscript) -> &str {
    task.failure.as_deref().unwrap_or("no reason was given")
}

/// The first call whose answer never came, with its side.
fn lost_call(a: &TaskTranscript, b: &TaskTranscript) -> Option<String> {
    [("source", a), ("target", b)]
        .into_iter()
        .flat_map(|(side, task)| task.calls.iter().map(move |call| (side, call)))
        .find(|(_, call)| call.outcome.is_some_and(CallOutcome::is_lost))
        .map(|(side, call)| format!("no answer of {} arrived on the {side}", call.tool))
}

fn compare_work(a: &TaskTranscript, b: &TaskTranscript, goal: OutputGoal) -> Outcome {
    // What an agent does without an answer says nothing about the stack that was meant to give it.
    if let Some(lost) = lost_call(a, b) {
        return Outcome::Trouble(lost);
    }
    let mut found = Vec::new();
    let tools = |task: &TaskTranscript| {
        task.calls
            .iter()
            .map(|call| call.tool.clone())
            .collect::<Vec<_>>()
            .join(", ")
    };
    if tools(a) == tools(b) {
        a.calls
            .iter()
            .zip(&b.calls)
            .for_each(|(a, b)| compare_calls(a, b, goal, &mut found));
    } else {
        found.push(format!(
            "the source called {}; the target called {}",
            tools(a),
            tools(b)
        ));
    }
    let (one, other) = (
        a.answer.as_deref().unwrap_or_default(),
        b.answer.as_deref().unwrap_or_default(),
    );
    if !same_text(one, other, goal.relative_tolerance) {
        found.push(format!("the answer `{one}` became `{other}`"));
    }
    if found.is_empty() {
        Outcome::Same
    } else {
        Outcome::Differs(found)
    }
}

fn compare_calls(a: &ToolCall, b: &ToolCall, goal: OutputGoal, found: &mut Vec<String>) {
    let arguments = differences(&a.arguments, &b.arguments, goal.relative_tolerance);
    found.extend(
        arguments
            .iter()
            .map(|difference| format!("an argument of {} differs at {difference}", a.tool)),
    );
    if a.is_error != b.is_error {
        let side = if a.is_error { "source" } else { "target" };
        found.push(format!("{} failed on the {side} only", a.tool));
        return;
    }
    if let (Some(one), Some(other)) = (a.outcome, b.outcome)
        && one != other
    {
        let (one, other) = (outcome_word(one), outcome_word(other));
        found.push(format!(
            "{} {one} on the source and {other} on the target",
            a.tool
        ));
        return;
    }
    let result = |call: &ToolCall| call.result.clone().unwrap_or(Value::Null);
    let results = differences(&result(a), &result(b), goal.relative_tolerance);
    found.extend(
        results
            .iter()
            .map(|difference| format!("the result of {} differs at {difference}", a.tool)),
    );
}

const fn outcome_word(outcome: CallOutcome) -> &'static str {
    match outcome {
        CallOutcome::Ok => "answered",
        CallOutcome::ToolError => "failed",
        CallOutcome::Timeout => "did not answer in time",
        CallOutcome::InvalidResult => "answered against its schema",
        CallOutcome::Refused => "was refused",
        CallOutcome::Transport => "was not reached",
    }
}

/// Whether two texts are the same words with the same numbers, numbers within the tolerance.
fn same_text(one: &str, other: &str, tolerance: f64) -> bool {
    let (one, other) = (tokens(one), tokens(other));
    one.len() == other.len()
        && one
            .iter()
            .zip(&other)
            .all(|(one, other)| same_token(one, other, tolerance))
}

/// Whole numbers have no tolerance: an order number one higher is another order. Words such as `inf` are no numbers.
fn same_token(one: &str, other: &str, tolerance: f64) -> bool {
    let whole = |token: &str| !token.contains('.');
    if one == other || (whole(one) && whole(other)) {
        return one == other;
    }
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => close(one, other, tolerance),
        _ => false,
    }
}

/// Words and numbers of a text; white space separates and does not count.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let mut last_is_number = None;
        let trimmed = word.trim_end_matches(['.', ',']);
        for (index, letter) in word.char_indices() {
            let is_number = index < trimmed.len() && (letter.is_ascii_digit() || letter == '.');
            match tokens
                .last_mut()
                .filter(|_| last_is_number == Some(is_number))
            {
                Some(token) => token.push(letter),
                None => tokens.push(letter.to_string()),
            }
            last_is_number = Some(is_number);
        }
    }
    tokens
}

impl Outcome {
    fn evidence(&self, task: &str, a: &[TaskTranscript], b: &[TaskTranscript]) -> Value {
        let answer = |side: &[TaskTranscript]| {
            side.iter()
                .find(|found| found.task_id == task)
                .and_then(|found| found.answer.clone())
        };
        let (word, details) = match self {
            Self::Same => ("same", Vec::new()),
            Self::Differs(differences) => ("differs", differences.clone()),
            Self::Open(reason) => ("open", vec![reason.clone()]),
            Self::Trouble(reason) => ("trouble", vec![reason.clone()]),
        };
        json!({"task": task, "outcome": word, "details": details, "answers": {"source": answer(a), "target": answer(b)}})
    }
}

fn facts(outcomes: &BTreeMap<&str, Outcome>, a: &[TaskTranscript], goal: OutputGoal) -> Vec<Fact> {
    let same = outcomes
        .values()
        .filter(|outcome| matches!(outcome, Outcome::Same))
        .count();
    let calls: usize = a.iter().map(|task| task.calls.len()).sum();
    let mut facts = vec![
        Fact::new(
            "same on both",
            format!("{same} of {}", count(outcomes.len(), "task")),
        ),
        Fact::new("calls on the source", calls),
        Fact::new(
            "tolerance for numbers",
            format!("{:e} of the larger one", goal.relative_tolerance),
        ),
    ];
    let answers = a.iter().filter_map(|task| {
        Some(Fact::new(
            &format!("answer to `{}`", task.task_id),
            task.answer.as_ref()?,
        ))
    });
    facts.extend(answers);
    facts
}

#[cfg(test)]
mod tests;
