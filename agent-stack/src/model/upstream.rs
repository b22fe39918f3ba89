//! Forwards to a real OpenAI-compatible server.

use super::openai::ChatRequest;
use crate::http_client::{self, HttpError};
use reqwest::{Client, Response, Url};
use std::time::Duration;

/// Longest time a real model may take.
const LIMIT: Duration = Duration::from_mins(5);

/// Why the upstream server gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// Not an absolute URL.
    #[error("`{url}` is not the URL of a server")]
    Url {
        /// What was given.
        url: String,
    },
    /// The client cannot be set up.
    #[error("the client for the upstream server cannot be set up")]
    Client(#[source] HttpError),
    /// No answer.
    #[error("the upstream server does not answer")]
    Transport(#[source] reqwest::Error),
}

/// A real OpenAI-compatible server.
#[derive(Clone, Debug)]
pub struct Upstream {
    client: Client,
    chat: Url,
    models: Url,
}

impl Upstream {
    /// The server at `base`, the part of the URL before `/v1`.
    ///
    /// # Errors
    /// When `base` is not an HTTP URL.
    pub fn new(base: &str) -> Result<Self, UpstreamError> {
        let client = if base.starts_with("https:") {
            http_client::outside_client(LIMIT)
        } else {
            http_client::client(LIMIT)
        };
        let client = client.map_err(UpstreamError::Client)?;
        Ok(Self {
            client,
            chat: endpoint(base, "chat/completions")?,
            models: endpoint(base, "models")?,
        })
    }

    /// Asks for a completion; `traceparent` continues the trace there.
    pub(super) async fn chat(
        &self,
        request: &ChatRequest,
        traceparent: Option<String>,
    ) -> Result<Response, UpstreamError> {
        let mut sent = self.client.post(self.chat.clone()).json(request);
        if let Some(traceparent) = traceparent {
            sent = sent.header(crate::telemetry::TRACEPARENT, traceparent);
        }
        sent.send().await.map_err(UpstreamError::Transport)
    }

    /// Asks which models there are.
    pub(super) async fn models(&self) -> Result<Response, UpstreamError> {
        self.client
            .get(self.models.clone())
            .send()
            .await
            .map_err(UpstreamError::Transport)
    }
}

fn endpoint(base: &str, path: &str) -> Result<Url, UpstreamError> {
    let text = format!(
        "{}/v1/{path}",
        base.trim_end_matches('/').trim_end_matches("/v1")
    );
    let url = Url::parse(&text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| UpstreamError::Url {
        url: base.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_may_end_in_v1() {
        for base in [
            "http://h:1",
            "http://h:1/",
            "http://h:1/v1",
            "http://h:1/v1/",
        ] {
            assert_eq!(
                endpoint(base, "models").unwrap().as_str(),
                "http://h:1/v1/models"
            );
        }
        assert!(matches!(
            endpoint("file:///x", "models"),
            Err(UpstreamError::Url { .. })
        ));
    }
}
