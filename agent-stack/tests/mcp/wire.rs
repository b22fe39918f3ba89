//! HTTP/1.1 written by hand, so that a test says byte for byte what it sends.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const MODERN: &str = "2026-07-28";
pub(crate) const LEGACY: &str = "2025-11-25";
/// More than this is a hang.
const DEADLINE: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    /// The body as JSON; null when it is none.
    pub(crate) body: Value,
}

impl Answer {
    /// HTTP status and JSON-RPC error code.
    pub(crate) fn outcome(&self) -> (u16, Option<i64>) {
        (self.status, self.body["error"]["code"].as_i64())
    }

    /// What the JSON-RPC error says.
    pub(crate) fn told(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }
}

/// A POST to the endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Post {
    /// A request with the headers that every request needs.
    pub(crate) fn bytes(body: impl Into<Vec<u8>>) -> Self {
        let headers = [
            ("host", "tool-gateway:8080"),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        Self {
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            body: body.into(),
        }
    }

    /// A message of an older revision.
    pub(crate) fn legacy(message: &Value) -> Self {
        Self::bytes(message.to_string()).with("mcp-protocol-version", LEGACY)
    }

    /// A request of the stateless revision, with everything it must have.
    pub(crate) fn modern(method: &str, params: &Value) -> Self {
        let mut params = params.clone();
        params["_meta"] = metadata(MODERN);
        let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let post = Self::bytes(body.to_string())
            .with("mcp-protocol-version", MODERN)
            .with("mcp-method", method);
        match params["name"].as_str() {
            Some(name) => post.with("mcp-name", name),
            None => post,
        }
    }

    /// Sets a header.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        let mut post = self.without(name);
        post.headers.push((name.to_owned(), value.to_owned()));
        post
    }

    /// Leaves a header out.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// Changes the body, which must be JSON.
    pub(crate) fn changed(mut self, change: impl FnOnce(&mut Value)) -> Self {
        let mut body = serde_json::from_slice(&self.body).unwrap();
        change(&mut body);
        self.body = body.to_string().into_bytes();
        self
    }

    fn head(&self) -> String {
        let lines: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let lines = lines.concat();
        format!(
            "POST /mcp HTTP/1.1\r\n{lines}connection: close\r\ncontent-length: {}\r\n\r\n",
            self.body.len()
        )
    }

    /// Sends it on a connection of its own and reads the answer to its end.
    pub(crate) async fn send(&self, server: SocketAddr) -> Answer {
        let message = [self.head().as_bytes(), &self.body].concat();
        exchange(server, &message).await
    }
}

/// What a request of the stateless revision says about its client.
pub(crate) fn metadata(version: &str) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// Sends bytes on a connection of their own and reads the answer to its end.
pub(crate) async fn exchange(server: SocketAddr, message: &[u8]) -> Answer {
    let answer = tokio::time::timeout(DEADLINE, async {
        let mut connection = TcpStream::connect(server).await.unwrap();
        // A server that refuses early closes before it has read everything.
        let _ = connection.write_all(message).await;
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer).await;
        answer
    });
    read(&answer.await.unwrap())
}

fn read(answer: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    Answer {
        status: status
            .parse()
            .unwrap_or_else(|_| panic!("no answer but {text:?}")),
        head: head.to_ascii_lowercase(),
        body: serde_json::from_str(body).unwrap_or(Value::Null),
    }
}
