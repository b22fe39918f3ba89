//! `agent-stack interpreter` as a process of its own.

use super::LONG;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::process::{Child, Command};

/// Time in which something must happen that is only a matter of milliseconds.
const SOON: Duration = Duration::from_secs(30);

pub(super) struct Server {
    process: Child,
    pub(super) address: SocketAddr,
    client: reqwest::Client,
    /// Of this test's, because a server that is killed leaves its directory behind.
    _workspaces: tempfile::TempDir,
}

impl Server {
    /// Starts it with these flags and waits until it answers.
    pub(super) async fn start(flags: &[&str]) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let workspaces = tempfile::tempdir().unwrap();
        let python = std::env::var_os("PYTHON").unwrap_or_else(|| "/usr/bin/python3".into());
        let process = Command::new(env!("CARGO_BIN_EXE_agent-stack"))
            .args(["interpreter", "--port", &address.port().to_string()])
            .arg("--workspaces")
            .arg(workspaces.path().join("runs"))
            .args(flags)
            .env("PYTHON", python)
            .env("RUST_LOG", "error")
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let client = agent_stack::http_client::client(LONG * 2).unwrap();
        let mut server = Self {
            process,
            address,
            client,
            _workspaces: workspaces,
        };
        while server.get("/healthz").await.is_none() {
            let ended = server.process.try_wait().unwrap();
            assert!(ended.is_none(), "the interpreter ended: {ended:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server
    }

    pub(super) async fn get(&self, path: &str) -> Option<reqwest::Response> {
        let url = format!("http://{}{path}", self.address);
        self.client.get(url).send().await.ok()
    }

    /// Has a program run; returns the status and the answer.
    pub(super) async fn send(&self, request: Value) -> (u16, Value) {
        let url = format!("http://{}/v1/execute", self.address);
        let answer = self.client.post(url).json(&request).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Has a program run that can be run.
    pub(super) async fn run(&self, request: Value) -> Value {
        let (status, answer) = self.send(request).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// The next program runs, and nothing of any other is left.
    pub(super) async fn still_serves(&self) {
        let next = self.run(json!({"code": "print(1)"}));
        let answer = tokio::time::timeout(SOON, next).await.unwrap();
        assert_eq!(answer["stdout"], "1\n", "{answer}");
        assert_eq!(self.descendants(), Vec::<Vec<i32>>::new());
    }

    /// The process id of the program that runs, once it runs.
    pub(super) async fn program(&self) -> String {
        let started = tokio::time::Instant::now();
        while started.elapsed() < SOON {
            if let [_, program, ..] = self.descendants().as_slice() {
                let pid = program[0].to_string();
                let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                if name.starts_with("python") {
                    return pid;
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no program runs");
    }

    pub(super) fn kill_supervisor(&self) {
        let supervisor = Pid::from_raw(self.descendants()[0][0]).unwrap();
        kill_process(supervisor, Signal::KILL).unwrap();
    }

    pub(super) async fn becomes_childless(&self) {
        let started = tokio::time::Instant::now();
        while !self.descendants().is_empty() {
            assert!(started.elapsed() < SOON, "{:?}", self.descendants());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(super) fn id(&self) -> i32 {
        self.process.id().unwrap().cast_signed()
    }

    /// Its children, their children, and so on.
    fn descendants(&self) -> Vec<Vec<i32>> {
        let mut generations = Vec::new();
        let mut parents = vec![self.id()];
        loop {
            let children: Vec<i32> = parents.iter().copied().flat_map(children).collect();
            if children.is_empty() {
                return generations;
            }
            generations.push(children.clone());
            parents = children;
        }
    }
}

fn children(parent: i32) -> Vec<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task"));
    let lists = tasks
        .into_iter()
        .flatten()
        .flatten()
        .map(|task| std::fs::read_to_string(task.path().join("children")).unwrap_or_default());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .map(|pid| pid.parse().unwrap())
                .collect::<Vec<i32>>()
        })
        .collect()
}
