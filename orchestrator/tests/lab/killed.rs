//! A run that is killed at any moment leaves only what `portproof cleanup` finds and removes.

use crate::scenarios::{only_entry, program, repository};
use portproof::cluster::{Cluster, ClusterAccess, find_runs};
use portproof::lab::paths::LabPaths;
use portproof::run::event::EventKind;
use portproof::run::log;
use portproof::verify::Role;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for a step to begin; a bound for a broken machine, not a measurement.
const PATIENCE: Duration = Duration::from_mins(3);

fn start(runs: &Path) -> Child {
    Command::new(program())
        .arg("run")
        .arg(repository().join("scenarios/level2/rehearsal.yaml"))
        .arg("--runs")
        .arg(runs)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn has_begun(runs: &Path, wanted: &str) -> bool {
    let Some(run) = std::fs::read_dir(runs).unwrap().next() else {
        return false;
    };
    let events = log::read(&run.unwrap().path().join("events.jsonl")).unwrap_or_default();
    events
        .iter()
        .any(|event| matches!(&event.kind, EventKind::StepStarted { step, .. } if step == wanted))
}

fn kill_when_begun(runs: &Path, step: &str) {
    let mut run = start(runs);
    let began = Instant::now();
    while !has_begun(runs, step) {
        assert!(began.elapsed() < PATIENCE, "`{step}` did not begin");
        assert!(
            run.try_wait().unwrap().is_none(),
            "the run ended before `{step}`"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    // `Child::kill` is SIGKILL: no handler runs, nothing is flushed.
    run.kill().unwrap();
    run.wait().unwrap();
}

async fn assert_nothing_is_left(run: &str) {
    for role in ["a", "b"] {
        let role = Role::new(role).unwrap();
        let kubeconfig = LabPaths::from_environment().kubeconfig(&role);
        let cluster = Cluster::connect(
            role.clone(),
            ClusterAccess {
                kubeconfig,
                context: None,
            },
        )
        .await
        .unwrap();
        let found = find_runs(&cluster).await.unwrap();
        assert!(
            found.iter().all(|left| left.run != run),
            "{role}: {found:?}"
        );
    }
}

async fn killed_at(step: &str) {
    let runs = tempfile::tempdir().unwrap();
    kill_when_begun(runs.path(), step);
    let cleanup = Command::new(program())
        .args(["cleanup", "latest", "--runs"])
        .arg(runs.path())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(cleanup.success(), "{cleanup}");
    let run = only_entry(runs.path());
    assert_nothing_is_left(run.file_name().unwrap().to_str().unwrap()).await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_run_killed_while_it_bootstraps_is_cleaned_up() {
    killed_at("bootstrap").await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_run_killed_while_it_provisions_is_cleaned_up() {
    killed_at("stack").await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_run_killed_while_it_carries_is_cleaned_up() {
    killed_at("carry").await;
}
