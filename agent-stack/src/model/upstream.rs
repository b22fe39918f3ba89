//! Forwards to a real OpenAI-compatible server: the request byte for byte, and whatever it answers.

use super::error::ApiError;
use super::listed::Listed;
use super::metrics::Tracked;
use crate::api_key::{KeyError, KeyFile};
use crate::authorities::{Authorities, AuthoritiesError};
use crate::http_client::{self, HttpError};
use crate::telemetry::TRACEPARENT;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use futures::{Stream, StreamExt as _, stream};
use reqwest::{Client, RequestBuilder, Url};
use std::time::Duration;
use uuid::Uuid;

/// Longest time a real model may take.
const LIMIT: Duration = Duration::from_mins(5);
/// What every model server calls itself in `via` begins like this (RFC 9110, section 7.6.3: a pseudonym).
const PSEUDONYM: &str = "portproof-model-";
/// Most model servers a request passes. Behind one address can be many replicas, so that a circle may take some rounds until
/// it comes back to the same one.
const MAX_HOPS: usize = 8;

/// Headers of an answer that are for the client too.
const PASSED_BACK: [HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::CACHE_CONTROL,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("x-request-id"),
];

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
    /// There is no key to ask with.
    #[error("there is no key for the upstream server")]
    Key(#[source] KeyError),
    /// Nobody can say who the server is.
    #[error("there are no authorities for the upstream server")]
    Authorities(#[source] AuthoritiesError),
    /// No answer.
    #[error("the upstream server does not answer")]
    Transport(#[source] reqwest::Error),
    /// An answer that breaks off, or is too large.
    #[error("the upstream server's answer cannot be read")]
    Body(#[source] HttpError),
}

/// A real OpenAI-compatible server.
#[derive(Clone, Debug)]
pub struct Upstream {
    client: Client,
    key: Option<KeyFile>,
    chat: Url,
    models: Url,
    listed: Listed,
    pseudonym: String,
}

impl Upstream {
    /// The server at `base`, the part of the URL before `/v1`; with HTTPS it is believed on the word of `authorities`.
    ///
    /// # Errors
    /// When `base` is not an HTTP URL, or an authority's certificate is none.
    pub fn new(base: &str, authorities: &Authorities) -> Result<Self, UpstreamError> {
        let client =
            http_client::client_for(base, authorities, LIMIT).map_err(UpstreamError::Client)?;
        Ok(Self {
            client,
            key: None,
            chat: endpoint(base, "chat/completions")?,
            models: endpoint(base, "models")?,
            listed: Listed::default(),
            pseudonym: format!("{PSEUDONYM}{}", Uuid::new_v4().simple()),
        })
    }

    /// The same server, asked with a key of our own in place of what the client sends.
    #[must_use]
    pub fn with_key(self, key: KeyFile) -> Self {
        let key = Some(key);
        Self { key, ..self }
    }

    /// Asks for a completion; `traceparent` continues the trace there.
    pub(super) async fn chat(
        &self,
        body: Bytes,
        headers: &HeaderMap,
        traceparent: Option<String>,
    ) -> Result<reqwest::Response, UpstreamError> {
        let mut sent = self.client.post(self.chat.clone()).body(body);
        sent = sent.header(header::CONTENT_TYPE, "application/json");
        if let Some(traceparent) = traceparent {
            sent = sent.header(TRACEPARENT, traceparent);
        }
        self.send(sent, headers).await
    }

    /// Which models there are. A client that asks in its own name gets its own answer.
    pub(super) async fn list(&self, headers: &HeaderMap) -> Result<Response, ApiError> {
        if self.key.is_none() && headers.contains_key(header::AUTHORIZATION) {
            return relay(self.models(None, headers).await, None);
        }
        self.listed.of(self, headers).await
    }

    /// Asks which models there are, or about the model `id`.
    pub(super) async fn models(
        &self,
        id: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<reqwest::Response, UpstreamError> {
        let mut url = self.models.clone();
        if let (Some(id), Ok(mut segments)) = (id, url.path_segments_mut()) {
            segments.extend(id.split('/'));
        }
        self.send(self.client.get(url), headers).await
    }

    async fn send(
        &self,
        mut sent: RequestBuilder,
        headers: &HeaderMap,
    ) -> Result<reqwest::Response, UpstreamError> {
        for value in headers.get_all(header::VIA) {
            sent = sent.header(header::VIA, value);
        }
        for value in self.authorization(headers).await? {
            sent = sent.header(header::AUTHORIZATION, value);
        }
        let sent = sent.header(header::VIA, format!("1.1 {}", self.pseudonym));
        let answer = sent.send().await;
        answer.map_err(|error| UpstreamError::Transport(error.without_url()))
    }

    /// What the upstream is to know the caller by.
    async fn authorization(&self, headers: &HeaderMap) -> Result<Vec<HeaderValue>, UpstreamError> {
        match &self.key {
            Some(key) => Ok(vec![key.bearer().await.map_err(UpstreamError::Key)?]),
            None => Ok(headers
                .get_all(header::AUTHORIZATION)
                .iter()
                .cloned()
                .collect()),
        }
    }

    /// Whether a request has been here before, or at so many model servers that it must be going in a circle.
    pub(super) fn is_loop(&self, headers: &HeaderMap) -> bool {
        let passed: Vec<&str> = headers
            .get_all(header::VIA)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|hop| hop.split_whitespace().nth(1))
            .filter(|name| name.starts_with(PSEUDONYM))
            .collect();
        passed.len() >= MAX_HOPS || passed.contains(&self.pseudonym.as_str())
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

/// Passes an answer on as it comes; a stream stays a stream, an error an error.
///
/// # Errors
/// When there is no answer.
pub(super) fn relay(
    answer: Result<reqwest::Response, UpstreamError>,
    tracked: Option<Tracked>,
) -> Result<Response, ApiError> {
    let status = answer.as_ref().ok().map(reqwest::Response::status);
    let tracked = tracked.and_then(|tracked| {
        if status.is_some_and(|status| status.is_success()) {
            return Some(tracked);
        }
        tracked.failed();
        None
    });
    let answer = answer?;
    let (status, headers) = (answer.status(), passed_back(answer.headers()));
    let pieces = answer.bytes_stream();
    let body = match tracked {
        Some(tracked) => Body::from_stream(watched(pieces, tracked)),
        None => Body::from_stream(pieces),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

pub(super) fn passed_back(headers: &HeaderMap) -> HeaderMap {
    let known = |name: HeaderName| Some((name.clone(), headers.get(name)?.clone()));
    PASSED_BACK.into_iter().filter_map(known).collect()
}

/// The same pieces, counted as they pass.
fn watched<T, E>(
    pieces: impl Stream<Item = Result<T, E>> + Send + 'static,
    tracked: Tracked,
) -> impl Stream<Item = Result<T, E>> + Send + 'static
where
    T: Send + 'static,
    E: Send + 'static,
{
    let passing = (Box::pin(pieces), tracked);
    stream::unfold(passing, |(mut pieces, mut tracked)| async move {
        if let Some(piece) = pieces.next().await {
            tracked.token();
            return Some((piece, (pieces, tracked)));
        }
        tracked.relayed();
        None
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

    #[test]
    fn a_request_that_was_here_before_is_recognised() {
        let upstream = Upstream::new("http://127.0.0.1:9", &Authorities::Public).unwrap();
        let via = |text: &str| {
            let value = text.parse().unwrap();
            upstream.is_loop(&HeaderMap::from_iter([(header::VIA, value)]))
        };
        let own = &upstream.pseudonym;
        assert!(via(&format!("1.1 {own}")));
        assert!(via(&format!("1.1 envoy, 1.1 {own} (model), 2 edge")));
        assert!(!via("1.1 envoy, 1.1 portproof-model-of-another"));
        assert!(!upstream.is_loop(&HeaderMap::new()));
        assert!(via(&["1.1 portproof-model-x"; MAX_HOPS].join(", ")));
    }
}
