//! `agent-stack all` as a person starts it.

use crate::stack::fixtures;
use agent_stack::http_client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

fn all() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agent-stack"));
    command
        .args(["all", "--fixtures"])
        .arg(fixtures())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn task(prompt: &str, engine: &str) -> Output {
    let child = all().args(["--engine", engine, "--task", prompt]).spawn();
    child.unwrap().wait_with_output().await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_task_is_done_and_shown_from_its_plan_to_its_proven_answer() {
    let output = task("What is the price of SKU-2048?", "ref-planner-v1").await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    let proof = |line: &str| match line.split_once("sha256:") {
        Some((before, _)) => format!("{before}sha256:…"),
        None => line.to_owned(),
    };
    let shown: Vec<_> = shown.lines().map(proof).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    tools   lookup_price, read_measurements, run_python, search_documents
    plan    step-1 lookup_price
    call    step-1 lookup_price {"sku":"SKU-2048"}
    result  step-1 ok {"currency":"EUR","name":"Deep groove ball bearing 6208","sku":"SKU-2048","unitPrice":17.35}
    proof   step-1 lookup_price sha256:…

    One unit of Deep groove ball bearing 6208 (SKU-2048) costs 17.35 EUR.
    "#);
    assert_eq!(text(&output.stderr), "");
}

#[tokio::test]
async fn the_version_of_the_planner_shows_in_the_answer() {
    let output = task("What is the price of SKU-2048?", "ref-planner-v2").await;
    let shown = text(&output.stdout);
    let expected = "costs 17.35 EUR. Sources: SKU-2048 (lookup_price).\n";
    assert!(shown.ends_with(expected), "{shown}");
}

#[tokio::test]
async fn a_task_that_fails_makes_the_command_fail() {
    let output = task("What is the price of SKU-0000?", "ref-planner-v1").await;
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    assert!(
        shown.contains("failed (tool): the tool `lookup_price` failed"),
        "{shown}"
    );
    assert!(text(&output.stderr).contains("the task was not done"));
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agent-stack"));
    let output = command
        .args(["all", "--fixtures", "/nowhere"])
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(
        told.contains("`/nowhere/tools` cannot be read") && told.contains("--fixtures"),
        "{told}"
    );
}

async fn address(lines: &mut Lines<BufReader<ChildStdout>>, role: &str) -> String {
    loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if let Some(url) = line.strip_prefix(role) {
            return url.trim().to_owned();
        }
    }
}

async fn interrupt(mut process: Child) -> Option<i32> {
    let pid = process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    kill_process(pid.unwrap(), Signal::INT).unwrap();
    process.wait().await.unwrap().code()
}

#[tokio::test]
async fn it_serves_on_loopback_until_it_is_interrupted() {
    let mut process = all().spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let agent = address(&mut lines, "agent").await;
    let model = address(&mut lines, "model").await;
    assert!(agent.starts_with("http://127.0.0.1:"), "{agent}");
    let example = address(&mut lines, "  curl -N").await;
    assert!(example.starts_with(&agent), "{example}");
    let client = http_client::client(Duration::from_mins(1)).unwrap();
    let body = json!({"prompt": "Which grease is in the bearings of pump P-100?"});
    let answer = client.post(&agent).json(&body).send().await.unwrap();
    assert!(answer.text().await.unwrap().contains("lithium grease"));
    let models = model.replace("chat/completions", "models");
    assert!(
        client
            .get(models)
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );
    drop(client);
    assert_eq!(interrupt(process).await, Some(0));
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_its_role() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = all()
        .args(["--catalog-port", &port])
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(
        told.contains(&format!("the catalog cannot listen on 127.0.0.1:{port}")),
        "{told}"
    );
}
