//! Reads what an MCP server says of itself, as raw JSON (MCP revision 2026-07-28, Streamable HTTP).
//!
//! No MCP library: its typed models drop members they do not know, and the descriptors must be exact.

use crate::http_client::{self, HttpError};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::ready;
use serde_json::{Value, json};
use sse_stream::SseStream;
use std::convert::Infallible;
use std::time::Duration;

/// The revision this reader speaks.
pub(crate) const REVISION: &str = "2026-07-28";
const DEADLINE: Duration = Duration::from_secs(10);
/// Pages of one list; more are taken for a loop.
const MAX_PAGES: usize = 100;

/// Why a server told nothing of itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum McpError {
    /// The server was not reached, or its answer is too large.
    #[error("the MCP server did not answer `{method}`")]
    Transport {
        method: &'static str,
        #[source]
        source: HttpError,
    },
    /// The answer is no JSON-RPC response.
    #[error("the answer to `{method}` (HTTP {status}) is no JSON-RPC response")]
    Json {
        method: &'static str,
        status: u16,
        #[source]
        source: serde_json::Error,
    },
    /// The server answered with a JSON-RPC error, or with nothing.
    #[error("the MCP server answered `{method}` (HTTP {status}) with {error}")]
    Refused {
        method: &'static str,
        status: u16,
        error: String,
    },
    /// The server does not speak the revision.
    #[error("the MCP server does not speak {REVISION}, only {supported}")]
    Revision { supported: String },
    /// The list never ends.
    #[error("`tools/list` has more than {MAX_PAGES} pages")]
    Endless,
}

/// An MCP server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server<'a> {
    http: &'a reqwest::Client,
    url: &'a str,
    host: Option<&'a str>,
}

impl<'a> Server<'a> {
    pub(crate) fn new(http: &'a reqwest::Client, url: &'a str) -> Self {
        Self {
            http,
            url,
            host: None,
        }
    }

    /// Ask under another host name than that of the URL.
    pub(crate) fn with_host(self, host: &'a str) -> Self {
        Self {
            host: Some(host),
            ..self
        }
    }

    /// The raw result of `server/discover`, if the server speaks [`REVISION`].
    pub(crate) async fn discover(&self) -> Result<Value, McpError> {
        let result = self.call("server/discover", json!({})).await?;
        let supported = result.get("supportedVersions").and_then(Value::as_array);
        if supported.is_some_and(|versions| versions.iter().any(|version| version == REVISION)) {
            return Ok(result);
        }
        Err(McpError::Revision {
            supported: result
                .get("supportedVersions")
                .unwrap_or(&Value::Null)
                .to_string(),
        })
    }

    /// The raw members of every page of `tools/list`, in the order they came.
    pub(crate) async fn tools(&self) -> Result<Vec<Value>, McpError> {
        let mut tools = Vec::new();
        let mut params = json!({});
        for _ in 0..MAX_PAGES {
            let mut page = self.call("tools/list", params).await?;
            if let Some(found) = page.get_mut("tools").and_then(Value::as_array_mut) {
                tools.append(found);
            }
            match page.get("nextCursor").filter(|cursor| !cursor.is_null()) {
                Some(cursor) => params = json!({"cursor": cursor}),
                None => return Ok(tools),
            }
        }
        Err(McpError::Endless)
    }

    async fn call(&self, method: &'static str, mut params: Value) -> Result<Value, McpError> {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": REVISION,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "portproof-control", "version": env!("CARGO_PKG_VERSION")},
        });
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let (status, body) = self.post(method, &request).await?;
        let answer = message(body).await.map_err(|source| McpError::Json {
            method,
            status,
            source,
        })?;
        match answer.get("result") {
            Some(result) => Ok(result.clone()),
            None => Err(McpError::Refused {
                method,
                status,
                error: answer.get("error").unwrap_or(&Value::Null).to_string(),
            }),
        }
    }

    async fn post(&self, method: &'static str, request: &Value) -> Result<(u16, Bytes), McpError> {
        let transport = |source| McpError::Transport { method, source };
        let mut post = self
            .http
            .post(self.url)
            .timeout(DEADLINE)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", REVISION)
            .header("mcp-method", method)
            .json(request);
        if let Some(host) = self.host {
            post = post.header(http::header::HOST, host);
        }
        let sent = post.send().await;
        let answer = sent.map_err(|source| {
            transport(HttpError::Transport {
                url: self.url.to_owned(),
                source,
            })
        })?;
        let status = answer.status().as_u16();
        Ok((
            status,
            http_client::read_body(answer).await.map_err(transport)?,
        ))
    }
}

/// The response in a body: plain JSON, or the last event with data of a server-sent event stream.
async fn message(body: Bytes) -> Result<Value, serde_json::Error> {
    if body.trim_ascii_start().starts_with(b"{") {
        return serde_json::from_slice(&body);
    }
    let whole = futures::stream::iter([Ok::<_, Infallible>(body.clone())]);
    let events = SseStream::from_bytes_stream(whole);
    let data = events.filter_map(|event| ready(event.ok().and_then(|event| event.data)));
    match data.collect::<Vec<_>>().await.last() {
        Some(data) => serde_json::from_str(data),
        None => serde_json::from_slice(&body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(body: &'static [u8]) -> Value {
        message(Bytes::from_static(body)).await.unwrap()
    }

    #[tokio::test]
    async fn a_response_is_read_from_json_and_from_a_stream_of_events() {
        let plain = b"{\"id\": 1}";
        assert_eq!(read(plain).await, json!({"id": 1}));
        let stream = b": hello\r\nevent: message\r\ndata: {\r\ndata: \"id\": 1}\r\n\r\n: bye\n\n";
        assert_eq!(read(stream).await, json!({"id": 1}));
    }
}
