//! Clean-up from another machine: no run directory, no ledger, only the label that all of a run carries.

use crate::driven::{Driven, assert_nothing_is_left, connect};
use crate::scenarios::{program, repository};
use portproof::cluster::{Cluster, cleanup, create, find_runs};
use portproof::lab::paths::LabPaths;
use portproof::ledger::{self, FORMAT, Ledger, LedgerHeader};
use portproof::verify::Role;
use portproof_proto::names::{RUN_LABEL, run_namespace};
use serde_json::json;
use std::ffi::OsString;
use std::process::{Command, Output};
use std::time::Duration;

/// A run id of no run of ours.
const FOREIGN: &str = "r1zzzzzzzzz";

fn portproof(arguments: &[OsString]) -> Output {
    Command::new(program())
        .args(arguments)
        .current_dir(tempfile::tempdir().unwrap().path())
        .output()
        .unwrap()
}

fn words(text: &str) -> Vec<OsString> {
    text.split(' ').map(OsString::from).collect()
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// What is of somebody else: a namespace that carries the label of another run.
struct Foreign {
    cluster: Cluster,
    ledger: Ledger,
    directory: tempfile::TempDir,
}

impl Foreign {
    async fn new(role: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let header = LedgerHeader {
            format: FORMAT,
            run_id: FOREIGN.to_owned(),
            namespace: run_namespace(FOREIGN),
            clusters: Vec::new(),
        };
        let ledger = Ledger::create(&directory.path().join("ledger.jsonl"), &header).unwrap();
        let cluster = connect(role).await;
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": run_namespace(FOREIGN), "labels": {RUN_LABEL: FOREIGN}},
        });
        create(&cluster, &ledger, namespace).await.unwrap();
        Self {
            cluster,
            ledger,
            directory,
        }
    }

    async fn is_there(&self) -> bool {
        let found = find_runs(&self.cluster).await.unwrap();
        found.iter().any(|it| it.run == FOREIGN)
    }

    async fn end(self) {
        let path = self.directory.path().join("ledger.jsonl");
        let outstanding = ledger::read(&path).unwrap().outstanding(self.cluster.uid());
        let minute = Duration::from_mins(1);
        let report = cleanup(
            &self.cluster,
            FOREIGN,
            outstanding,
            Some(&self.ledger),
            minute,
        )
        .await;
        assert_eq!(report.removed, 1);
    }
}

/// A run that was killed at `step` and whose directory is gone; its id.
fn lost_at(step: &str) -> String {
    let mut run = Driven::start();
    run.wait_until_begun(step);
    run.kill();
    let id = run.id();
    std::fs::remove_dir_all(run.directory()).unwrap();
    id
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_run_whose_directory_is_gone_is_listed_and_removed_by_label_and_others_stay() {
    let foreign = Foreign::new("b").await;
    let run = lost_at("tasks");
    let listed = portproof(&words("cleanup --list --lab"));
    let said = text(&listed);
    assert!(listed.status.success(), "{said}");
    let line = |id: &str| {
        said.lines()
            .find(|line| line.starts_with(id))
            .unwrap()
            .to_owned()
    };
    assert!(line(&run).contains("not expired"), "{said}");
    assert!(line(&run).contains("cluster a") && line(&run).contains("cluster b"));
    assert!(line(FOREIGN).contains("unknown"), "{said}");
    let removed = portproof(&words(&format!("cleanup {run} --lab")));
    assert!(removed.status.success(), "{}", text(&removed));
    assert_nothing_is_left(&run).await;
    assert!(foreign.is_there().await);
    let again = portproof(&words(&format!("cleanup {run} --lab")));
    assert!(again.status.success(), "{}", text(&again));
    assert!(text(&again).contains("has left nothing on"));
    foreign.end().await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_lost_run_is_removed_on_the_clusters_of_a_scenario_and_of_a_kubeconfig() {
    let run = lost_at("stack");
    let a = LabPaths::from_environment().kubeconfig(&Role::new("a").unwrap());
    let mut by_kubeconfig = words(&format!("cleanup {} --kubeconfig", &run[..9]));
    by_kubeconfig.push(a.into());
    let removed = portproof(&by_kubeconfig);
    assert!(removed.status.success(), "{}", text(&removed));
    let of_run = |found: Vec<portproof::cluster::FoundRun>| found.iter().any(|it| it.run == run);
    assert!(!of_run(find_runs(&connect("a").await).await.unwrap()));
    assert!(of_run(find_runs(&connect("b").await).await.unwrap()));
    let mut by_scenario = words(&format!("cleanup {run} --scenario"));
    by_scenario.push(repository().join("scenarios/level2/rehearsal.yaml").into());
    let removed = portproof(&by_scenario);
    assert!(removed.status.success(), "{}", text(&removed));
    assert_nothing_is_left(&run).await;
}
