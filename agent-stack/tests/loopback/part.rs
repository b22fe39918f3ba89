//! A part of the stack as a process of its own, as an orchestrator runs it.

use crate::stack::TRACE;
use agent_stack::http_client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};

/// Who waits for this long waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a request carries that no log may show.
const SECRET: &str = "Bearer of-bad-news";

/// `agent-stack` as one part, with nothing in its environment but what is given.
pub(crate) struct Part {
    pub(crate) process: Child,
    pub(crate) address: SocketAddr,
}

impl Part {
    pub(crate) async fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let address = std::net::TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_agent-stack"))
            .args(arguments)
            .args(["--port", &address.port().to_string()])
            .env_clear()
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        while client()
            .get(format!("http://{address}/livez"))
            .send()
            .await
            .is_err()
        {
            assert!(process.try_wait().unwrap().is_none(), "the part ended");
            tokio::task::yield_now().await;
        }
        Self { process, address }
    }

    /// Status and body of `GET`.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let request = client()
            .get(format!("http://{}{path}", self.address))
            .header("authorization", SECRET)
            .header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub(crate) fn terminate(&self) {
        let pid = self
            .process
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()));
        kill_process(pid.unwrap(), Signal::TERM).unwrap();
    }

    /// How it ended, and what it logged.
    pub(crate) async fn end(self) -> (ExitStatus, Vec<Value>) {
        let ended = tokio::time::timeout(PATIENCE, self.process.wait_with_output());
        let output = ended.await.unwrap().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
        (output.status, lines.collect())
    }
}

/// A client without a pool: every request has a connection of its own.
pub(crate) fn client() -> reqwest::Client {
    http_client::builder(PATIENCE)
        .tls_certs_only([])
        .pool_max_idle_per_host(0)
        .build()
        .unwrap()
}
