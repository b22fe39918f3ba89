//! Every shipped task through the whole stack, with either version of the planner.

use crate::stack::{Stack, fixtures};
use agent_stack::agent::{AgentEvent, CallOutcome};
use agent_stack::model::Engine;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A file of tasks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tasks {
    tasks: Vec<Task>,
}

/// One task with what it must come to.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Task {
    id: String,
    prompt: String,
    /// Tools that must be called, in any order.
    calls: Vec<String>,
    /// Texts of the answer.
    #[serde(default)]
    answer: Vec<String>,
    /// Texts of the failure.
    #[serde(default)]
    failure: Vec<String>,
}

fn shipped(file: &str) -> Vec<Task> {
    let path = fixtures().join("tasks").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let tasks: Tasks = serde_saphyr::from_str(&text).unwrap();
    assert!(!tasks.tasks.is_empty());
    tasks.tasks
}

fn all_shipped() -> BTreeMap<String, Task> {
    let files = std::fs::read_dir(fixtures().join("tasks")).unwrap();
    files
        .flat_map(|file| shipped(file.unwrap().file_name().to_str().unwrap()))
        .map(|task| (task.id.clone(), task))
        .collect()
}

fn called(events: &[AgentEvent]) -> Vec<&str> {
    let mut tools: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            AgentEvent::Call { tool, .. } => Some(tool.as_str()),
            _ => None,
        })
        .collect();
    tools.sort_unstable();
    tools
}

/// The task ends as it must, after the calls it must make; an answer rests on nothing but results that came back.
fn check(task: &Task, engine: Engine, events: &[AgentEvent]) {
    let mut expected = task.calls.clone();
    expected.sort_unstable();
    assert_eq!(
        called(events),
        expected,
        "{} {engine:?}: {events:?}",
        task.id
    );
    let (told, wanted) = match events.last() {
        Some(AgentEvent::Answer {
            text,
            evidence,
            unsupported_numbers,
            ..
        }) => {
            assert_eq!(*unsupported_numbers, [] as [&str; 0], "{}: {text}", task.id);
            assert_eq!(evidence.len(), task.calls.len());
            assert!(
                evidence
                    .iter()
                    .all(|call| call.outcome == CallOutcome::Ok && call.result_sha256.is_some())
            );
            (text, &task.answer)
        }
        Some(AgentEvent::Failure { message, .. }) => (message, &task.failure),
        other => panic!("{}: {other:?}", task.id),
    };
    assert!(
        !wanted.is_empty(),
        "{} {engine:?} came to `{told}`",
        task.id
    );
    for text in wanted {
        assert!(
            told.contains(text),
            "{} {engine:?}: `{told}` does not say `{text}`",
            task.id
        );
    }
}

async fn do_all(file: &str) {
    for engine in [Engine::RefPlannerV1, Engine::RefPlannerV2] {
        let stack = Stack::with_engine(engine).await;
        for task in shipped(file) {
            check(&task, engine, &stack.ask(&task.prompt).await);
        }
        stack.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_are_answered_from_the_documents() {
    do_all("documents.yaml").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn measured_values_are_analysed_in_python() {
    do_all("data.yaml").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errands_with_several_tools_are_done() {
    do_all("errand.yaml").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_answered_is_said_to_be_so() {
    do_all("unanswerable.yaml").await;
}

/// Every scenario file below a folder.
fn scenarios(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| {
            if path.is_dir() {
                scenarios(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// The tasks that a scenario hands out, each as it is shipped.
fn handed_out(file: &Path, shipped: &BTreeMap<String, Task>) -> Vec<Task> {
    let scenario: Value = serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let steps = scenario["spec"]["steps"].as_array().unwrap();
    let items = steps
        .iter()
        .filter_map(|step| step["tasks"]["items"].as_array());
    items
        .flatten()
        .map(|item| {
            let task = &shipped[item["id"].as_str().unwrap()];
            assert_eq!(item["prompt"], task.prompt.as_str(), "{}", task.id);
            task.clone()
        })
        .collect()
}

#[test]
fn every_scenario_hands_out_shipped_tasks_that_have_an_answer_and_call_every_tool() {
    let shipped = all_shipped();
    let root = fixtures().join("..");
    let mut seen = 0;
    for file in [root.join("level2"), root.join("broken")]
        .iter()
        .flat_map(|folder| scenarios(folder))
    {
        let tasks = handed_out(&file, &shipped);
        let called: BTreeSet<&str> = tasks
            .iter()
            .flat_map(|task| task.calls.iter().map(String::as_str))
            .collect();
        if tasks.is_empty() {
            continue;
        }
        seen += 1;
        assert!(
            tasks.iter().all(|task| !task.answer.is_empty()),
            "{}",
            file.display()
        );
        let every = BTreeSet::from([
            "lookup_price",
            "read_measurements",
            "run_python",
            "search_documents",
        ]);
        assert_eq!(called, every, "{}", file.display());
    }
    assert!(seen >= 4);
}

#[test]
fn the_rehearsal_hands_out_every_kind_of_task() {
    let tasks = handed_out(&fixtures().join("../level2/rehearsal.yaml"), &all_shipped());
    for kind in [
        "search_documents",
        "read_measurements run_python",
        "search_documents lookup_price run_python",
    ] {
        let is_kind = |task: &Task| task.calls.join(" ") == kind;
        assert!(tasks.iter().any(is_kind), "no task calls {kind}");
    }
}
