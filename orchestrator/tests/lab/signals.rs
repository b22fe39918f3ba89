//! Ctrl-C once, twice, and `kill`: a real process, real signals, at several moments of a run.

use crate::driven::{Driven, Ended, assert_nothing_is_left};
use rustix::process::Signal;
use std::process::Command;

/// The run ended as an interrupted one does, reported, and left nothing.
async fn ended_in_order(mut run: Driven, code: i32, signal: &str) {
    let ended = run.end();
    assert_eq!(ended.code, Some(code), "{}{}", ended.out, ended.err);
    let said = format!("{signal}: stopping and cleaning up; once more to stop at once");
    assert!(ended.err.contains(&said), "{}", ended.err);
    let headline = format!("The run was interrupted by {signal}");
    assert!(ended.out.contains(&headline), "{}", ended.out);
    for report in ["report.html", "report.json", "junit.xml"] {
        assert!(run.directory().join(report).is_file(), "{report}");
    }
    assert_eq!(ended.left, [] as [&str; 0]);
    assert_nothing_is_left(&run.id()).await;
}

/// The run ended at once, said what may be left and with which command it goes; the command does it.
async fn ended_at_once(mut run: Driven, code: i32) {
    let Ended {
        code: ended,
        out,
        err,
        left,
    } = run.end();
    assert_eq!(ended, Some(code), "{out}{err}");
    assert!(err.contains("again: stopping at once"), "{err}");
    assert!(!left.is_empty(), "{out}");
    let command = format!(
        "portproof cleanup {} --runs '{}'",
        run.id(),
        run.runs().display()
    );
    assert!(out.contains(&format!("to clean up: {command}")), "{out}");
    let cleanup = Command::new("sh")
        .arg("-c")
        .arg(command.replacen("portproof", "\"$PORTPROOF\"", 1))
        .env("PORTPROOF", crate::scenarios::program())
        .status()
        .unwrap();
    assert!(cleanup.success(), "{cleanup}");
    assert_nothing_is_left(&run.id()).await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn ctrl_c_while_the_run_bootstraps_cleans_up_and_exits_with_130() {
    let mut run = Driven::start();
    run.wait_until_begun("bootstrap");
    run.signal(Signal::INT);
    ended_in_order(run, 130, "SIGINT").await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn ctrl_c_under_traffic_cleans_up_and_exits_with_130() {
    let mut run = Driven::start_with_traffic_only();
    run.wait_until_begun("canary");
    run.signal(Signal::INT);
    ended_in_order(run, 130, "SIGINT").await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn ctrl_c_while_the_run_cleans_up_lets_it_finish() {
    let mut run = Driven::start_with_traffic_only();
    run.wait_until_cleaning();
    run.signal(Signal::INT);
    ended_in_order(run, 130, "SIGINT").await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn kill_while_the_run_provisions_cleans_up_and_exits_with_143() {
    let mut run = Driven::start();
    run.wait_until_begun("stack");
    run.signal(Signal::TERM);
    ended_in_order(run, 143, "SIGTERM").await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn ctrl_c_twice_under_traffic_ends_at_once_and_says_how_to_clean_up() {
    let mut run = Driven::start_with_traffic_only();
    run.wait_until_begun("canary");
    run.signal(Signal::INT);
    run.wait_until_interrupted();
    run.signal(Signal::INT);
    ended_at_once(run, 130).await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn kill_twice_while_the_run_bootstraps_ends_at_once_and_says_how_to_clean_up() {
    let mut run = Driven::start();
    run.wait_until_begun("bootstrap");
    // Something has to be there already, or nothing could be left.
    run.wait_until_created();
    run.signal(Signal::TERM);
    run.wait_until_interrupted();
    run.signal(Signal::TERM);
    ended_at_once(run, 143).await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn ctrl_c_twice_while_the_run_cleans_up_ends_at_once_and_says_how_to_clean_up() {
    let mut run = Driven::start_with_traffic_only();
    run.wait_until_cleaning();
    run.signal(Signal::INT);
    run.wait_until_interrupted();
    run.signal(Signal::INT);
    ended_at_once(run, 130).await;
}
