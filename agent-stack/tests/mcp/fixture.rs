//! The personality for the conformance suite, as a process of its own.

use crate::wire::{LEGACY, MODERN, Post};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Starts the fixture on a free port, which its log tells.
async fn start(arguments: &[&str]) -> (Child, SocketAddr) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_agent-stack"))
        .args(["gateway", "--conformance-fixture", "--port", "0"])
        .args(arguments)
        .env_clear()
        .env("RUST_LOG", "info")
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    let address = loop {
        let line = log.next_line().await.unwrap().expect("the fixture ended");
        let entry: Value = serde_json::from_str(&line).unwrap();
        if let Some(url) = entry["url"].as_str() {
            let authority = url.strip_prefix("http://").unwrap().strip_suffix("/mcp");
            break authority.unwrap().parse().unwrap();
        }
    };
    // Whoever does not read a log to its end stops its writer.
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    (process, address)
}

async fn end(mut process: Child) {
    let id = process.id().unwrap().cast_signed();
    kill_process(Pid::from_raw(id).unwrap(), Signal::TERM).unwrap();
    assert!(process.wait().await.unwrap().success());
}

fn on_loopback(post: Post) -> Post {
    post.with("host", "127.0.0.1")
}

async fn tools(address: SocketAddr) -> Vec<String> {
    let list = on_loopback(Post::modern("tools/list", &json!({})));
    let answer = list.send(address).await;
    let tools = answer.body["result"]["tools"].as_array().unwrap().clone();
    let names = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap().to_owned());
    names.collect()
}

#[tokio::test]
async fn the_fixture_needs_no_cluster_and_serves_the_suites_tools_in_order() {
    let (process, address) = start(&[]).await;
    let names = tools(address).await;
    assert!(names.is_sorted(), "{names:?}");
    assert!(names.contains(&"test_simple_text".to_owned()), "{names:?}");
    let call = Post::modern(
        "tools/call",
        &json!({"name": "test_simple_text", "arguments": {}}),
    );
    let answer = on_loopback(call).send(address).await;
    let text = &answer.body["result"]["content"][0]["text"];
    assert_eq!(
        text, "This is a simple text response for testing.",
        "{answer:?}"
    );
    end(process).await;
}

#[tokio::test]
async fn an_echo_goes_through_the_schemas_of_its_tool() {
    let (process, address) = start(&["--echo-tools", "3"]).await;
    let names = tools(address).await;
    let echoes: Vec<_> = names
        .iter()
        .filter(|name| name.starts_with("echo_"))
        .collect();
    assert_eq!(echoes, ["echo_0001", "echo_0002", "echo_0003"]);
    for (arguments, fails) in [
        (json!({"text": "hello"}), false),
        (json!({"text": 7}), true),
    ] {
        let params = json!({"name": "echo_0002", "arguments": arguments});
        let call = on_loopback(Post::modern("tools/call", &params));
        let result = &call.send(address).await.body["result"];
        assert_eq!(result["isError"], fails, "{result}");
        if !fails {
            assert_eq!(result["structuredContent"], arguments, "{result}");
        }
    }
    end(process).await;
}

#[tokio::test]
async fn the_era_can_be_chosen_on_the_command_line() {
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}});
    for (era, handshake, discovery) in [
        ("dual", 200, 200),
        ("modern", 400, 200),
        ("legacy", 200, 400),
    ] {
        let (process, address) = start(&["--era", era]).await;
        let old = on_loopback(Post::bytes(initialize.to_string()));
        let new = on_loopback(Post::modern("server/discover", &json!({})));
        let statuses = (
            old.send(address).await.status,
            new.send(address).await.status,
        );
        assert_eq!(statuses, (handshake, discovery), "{era} {MODERN}");
        end(process).await;
    }
}
