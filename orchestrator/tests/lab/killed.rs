//! A run that is killed at any moment leaves only what `portproof cleanup` finds and removes.

use crate::driven::{Driven, assert_nothing_is_left};
use crate::scenarios::program;
use std::process::{Command, Stdio};

async fn killed_at(step: &str) {
    let mut run = Driven::start();
    run.wait_until_begun(step);
    // SIGKILL: no handler runs, nothing is flushed.
    run.kill();
    let cleanup = Command::new(program())
        .args(["cleanup", "latest", "--runs"])
        .arg(run.runs())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(cleanup.success(), "{cleanup}");
    assert_nothing_is_left(&run.id()).await;
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
