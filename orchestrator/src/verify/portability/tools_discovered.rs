//! `portability/tools-discovered`: every carried tool is found by the agent and used by it.

use crate::verify::catalogue::{TOOLS_DISCOVERED, failed, inconclusive};
use crate::verify::evidence::{CallOutcome, TaskTranscript, ToolCall};
use crate::verify::measure::{count, list};
use crate::verify::{CheckResult, Fact, Verdict};
use portproof_proto::bundle::Bundle;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Tool names by what is known of them.
struct Coverage {
    carried: BTreeSet<String>,
    discovered: BTreeSet<String>,
    undiscovered: BTreeSet<String>,
    answered: BTreeSet<String>,
    broken: BTreeSet<String>,
    lost: BTreeSet<String>,
}

/// Passes when every task's agent discovered every tool of the bundle and each tool answered a call in some task.
pub fn tools_discovered(source: &Bundle, tasks: &[TaskTranscript]) -> CheckResult {
    let coverage = Coverage::of(source, tasks);
    TOOLS_DISCOVERED.decided(
        judge(&coverage, tasks),
        facts(&coverage, tasks),
        evidence(&coverage, tasks),
    )
}

impl Coverage {
    fn of(source: &Bundle, tasks: &[TaskTranscript]) -> Self {
        let carried = tool_names(source);
        // A task that failed before it asked for tools says nothing about them.
        let lists: Vec<BTreeSet<_>> = tasks
            .iter()
            .filter(|task| asked_for_tools(task))
            .map(|task| task.discovered.iter().cloned().collect())
            .collect();
        let calls = || tasks.iter().flat_map(|task| &task.calls);
        let names = |wanted: fn(&ToolCall) -> bool| {
            calls()
                .filter(|call| wanted(call))
                .map(|call| call.tool.clone())
                .collect()
        };
        Self {
            undiscovered: carried
                .iter()
                .filter(|tool| lists.iter().any(|list| !list.contains(*tool)))
                .cloned()
                .collect(),
            discovered: lists.into_iter().flatten().collect(),
            answered: names(answered),
            broken: names(|call| !answered(call) && !lost(call)),
            lost: names(lost),
            carried,
        }
    }

    fn uncalled(&self) -> Vec<&String> {
        self.carried.difference(&self.answered).collect()
    }
}

/// Whether the tool gave what it promises.
fn answered(call: &ToolCall) -> bool {
    let kept = call
        .outcome
        .is_none_or(|outcome| outcome == CallOutcome::Ok);
    kept && call.result.is_some() && !call.is_error
}

/// Whether no answer came, which says nothing about the tool.
fn lost(call: &ToolCall) -> bool {
    call.outcome.is_some_and(CallOutcome::is_lost)
}

fn asked_for_tools(task: &TaskTranscript) -> bool {
    task.failure.is_none() || !task.discovered.is_empty()
}

/// Names under which the bundle's tools are served: those of the `Tool` objects, and those that the gateway listed.
fn tool_names(source: &Bundle) -> BTreeSet<String> {
    let objects = source
        .objects
        .iter()
        .filter(|object| object["kind"] == "Tool")
        .filter_map(|tool| tool.pointer("/spec/name"));
    let listed = source
        .descriptors
        .iter()
        .flat_map(|descriptor| &descriptor.tools)
        .filter_map(|tool| tool.get("name"));
    objects
        .chain(listed)
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn judge(coverage: &Coverage, tasks: &[TaskTranscript]) -> Verdict {
    if coverage.carried.is_empty() {
        return inconclusive("the bundle holds no tool");
    }
    if !tasks.iter().any(asked_for_tools) {
        return inconclusive(format!(
            "no task came as far as asking for tools{}",
            failures(tasks)
        ));
    }
    if !coverage.undiscovered.is_empty() {
        return failed(format!(
            "the agent did not discover {}",
            names(&coverage.undiscovered)
        ));
    }
    let uncalled = coverage.uncalled();
    let among = |wanted: &BTreeSet<String>| -> Vec<&String> {
        let uncalled = uncalled.iter().copied();
        uncalled.filter(|tool| wanted.contains(*tool)).collect()
    };
    let (mut broken, lost) = (among(&coverage.broken), among(&coverage.lost));
    // The answer that did not arrive may have been the good one.
    broken.retain(|tool| !coverage.lost.contains(*tool));
    match (uncalled.is_empty(), broken.is_empty()) {
        (true, _) => Verdict::Passed,
        (false, false) => failed(format!("every call of {} failed", list(&broken, 6))),
        (false, true) if !lost.is_empty() => inconclusive(format!(
            "no call of {} succeeded, and of some no answer arrived",
            list(&lost, 6)
        )),
        // What to call is the model's choice, and a tool that nobody called may well work.
        (false, true) => inconclusive(format!(
            "no task called {}{}",
            list(&uncalled, 6),
            failures(tasks)
        )),
    }
}

fn names(tools: &BTreeSet<String>) -> String {
    list(&tools.iter().collect::<Vec<_>>(), 6)
}

fn failures(tasks: &[TaskTranscript]) -> String {
    let failed = tasks
        .iter()
        .find_map(|task| Some((task, task.failure.as_ref()?)));
    failed.map_or_else(String::new, |(task, failure)| {
        format!("; task `{}` failed: {failure}", task.task_id)
    })
}

fn facts(coverage: &Coverage, tasks: &[TaskTranscript]) -> Vec<Fact> {
    vec![
        Fact::new("carried tools", names(&coverage.carried)),
        Fact::new("discovered by the agent", names(&coverage.discovered)),
        Fact::new("answered a call", names(&coverage.answered)),
        Fact::new("tasks", count(tasks.len(), "task")),
    ]
}

fn evidence(coverage: &Coverage, tasks: &[TaskTranscript]) -> Value {
    let task = |task: &TaskTranscript| {
        let calls: Vec<_> = task
            .calls
            .iter()
            .map(|call| json!({"tool": call.tool, "answered": answered(call)}))
            .collect();
        json!({"task": task.task_id, "discovered": task.discovered, "calls": calls, "failure": task.failure})
    };
    json!({
        "carried": coverage.carried,
        "undiscovered": coverage.undiscovered,
        "uncalled": coverage.uncalled(),
        "tasks": tasks.iter().map(task).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{bundle, seal_price};
    use super::*;

    fn judged(tasks: &[TaskTranscript]) -> (&'static str, String) {
        let verdict = tools_discovered(&bundle(), tasks).verdict;
        (
            verdict.word(),
            verdict.reason().unwrap_or_default().to_owned(),
        )
    }

    #[test]
    fn an_agent_that_finds_and_calls_every_tool_passes() {
        assert_eq!(judged(&[seal_price()]).0, "passed");
    }

    #[test]
    fn each_hidden_tool_fails_by_name() {
        for index in 0..3 {
            let mut task = seal_price();
            let hidden = task.discovered.remove(index);
            assert_eq!(
                judged(&[task]),
                ("failed", format!("the agent did not discover {hidden}"))
            );
        }
    }

    #[test]
    fn a_tool_hidden_from_one_task_fails_even_if_another_saw_it() {
        let mut task = seal_price();
        task.discovered.pop();
        assert_eq!(judged(&[seal_price(), task]).0, "failed");
    }

    #[test]
    fn a_tool_that_the_gateway_hides_on_the_source_too_is_known_from_its_object() {
        let mut source = bundle();
        source.descriptors[0].tools.remove(0);
        let mut task = seal_price();
        task.discovered.retain(|tool| tool != "search_documents");
        assert_eq!(tools_discovered(&source, &[task]).verdict.word(), "failed");
    }

    #[test]
    fn each_tool_that_no_task_called_is_named_and_leaves_the_question_open() {
        for index in 0..3 {
            let mut task = seal_price();
            let call = task.calls.remove(index);
            assert_eq!(
                judged(&[task]),
                ("inconclusive", format!("no task called {}", call.tool))
            );
        }
    }

    #[test]
    fn calls_of_several_tasks_add_up() {
        let (mut one, mut other) = (seal_price(), seal_price());
        one.calls.truncate(1);
        other.calls.remove(0);
        assert_eq!(judged(&[one, other]).0, "passed");
    }

    #[test]
    fn a_tool_whose_calls_all_failed_fails() {
        let mut task = seal_price();
        task.calls[1].is_error = true;
        assert_eq!(
            judged(&[task]),
            ("failed", "every call of lookup_price failed".to_owned())
        );
    }

    #[test]
    fn a_task_that_failed_before_it_called_leaves_the_question_open() {
        let mut task = seal_price();
        task.calls.pop();
        task.answer = None;
        task.failure = Some("model: connection refused".into());
        let (word, why) = judged(&[task]);
        assert_eq!(word, "inconclusive");
        assert!(why.contains("connection refused"), "{why}");
    }

    #[test]
    fn without_tasks_or_tools_there_is_no_verdict() {
        assert_eq!(judged(&[]).0, "inconclusive");
        assert_eq!(
            tools_discovered(&Bundle::default(), &[seal_price()])
                .verdict
                .word(),
            "inconclusive"
        );
        let broken = TaskTranscript {
            failure: Some("agent: no route".into()),
            ..TaskTranscript::default()
        };
        assert_eq!(judged(&[broken]).0, "inconclusive");
    }
}
