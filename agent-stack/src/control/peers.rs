//! The other parts of the stack, as the agent reaches them.

use crate::http_client::{self, HttpError};
use bytes::Bytes;
use portproof_proto::names::{self, Part};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::time::Duration;

/// Longest time a request without a deadline of its own may take.
const DEADLINE: Duration = Duration::from_mins(1);

/// Why a part gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerError {
    /// It was not reached, the connection broke, or the answer is too large.
    #[error("`{part}` gave no answer")]
    Http {
        part: &'static str,
        #[source]
        source: HttpError,
    },
    /// It answered with an error.
    #[error("`{part}` answered {path} with {status}: {text}")]
    Status {
        part: &'static str,
        path: String,
        status: u16,
        text: String,
    },
    /// The answer is not the JSON it should be.
    #[error("the answer of `{part}` to {path} is not what it should be")]
    Json {
        part: &'static str,
        path: String,
        #[source]
        source: serde_json::Error,
    },
}

/// The parts by name, over plain HTTP inside the namespace.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    http: reqwest::Client,
    places: HashMap<Part, String>,
}

impl Peers {
    /// Parts at their Services.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub(crate) fn new() -> Result<Self, HttpError> {
        Ok(Self {
            http: http_client::client(DEADLINE)?,
            places: HashMap::new(),
        })
    }

    /// A part that is somewhere else than at its Service.
    #[cfg(test)]
    pub(crate) fn with(mut self, part: Part, address: std::net::SocketAddr) -> Self {
        self.places.insert(part, format!("http://{address}"));
        self
    }

    /// The client itself, for answers that are streams.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// The address of `path` at a part.
    pub(crate) fn url(&self, part: Part, path: &str) -> String {
        let service = || format!("http://{}:{}", part.name(), names::HTTP_PORT);
        let base = self.places.get(&part).cloned().unwrap_or_else(service);
        format!("{base}{path}")
    }

    /// `GET` of a JSON answer.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        part: Part,
        path: &str,
        deadline: Duration,
    ) -> Result<T, PeerError> {
        let request = self.http.get(self.url(part, path)).timeout(deadline);
        json(part, path, &read(part, path, request).await?)
    }

    /// `POST` of JSON with a JSON answer.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        part: Part,
        path: &str,
        body: &impl Serialize,
        deadline: Duration,
    ) -> Result<T, PeerError> {
        let request = self
            .http
            .post(self.url(part, path))
            .timeout(deadline)
            .json(body);
        json(part, path, &read(part, path, request).await?)
    }

    /// Whether the part says it is well.
    pub(crate) async fn health(&self, part: Part, deadline: Duration) -> Result<(), PeerError> {
        let path = "/healthz";
        read(
            part,
            path,
            self.http.get(self.url(part, path)).timeout(deadline),
        )
        .await
        .map(drop)
    }
}

async fn read(
    part: Part,
    path: &str,
    request: reqwest::RequestBuilder,
) -> Result<Bytes, PeerError> {
    let failed = |source| PeerError::Http {
        part: part.name(),
        source,
    };
    let answer = request.send().await;
    let answer = answer.map_err(|source| {
        failed(HttpError::Transport {
            url: path.to_owned(),
            source,
        })
    })?;
    let status = answer.status();
    let body = http_client::read_body(answer).await.map_err(failed)?;
    if status.is_success() {
        return Ok(body);
    }
    let text = String::from_utf8_lossy(&body).chars().take(300).collect();
    Err(PeerError::Status {
        part: part.name(),
        path: path.to_owned(),
        status: status.as_u16(),
        text,
    })
}

fn json<T: DeserializeOwned>(part: Part, path: &str, body: &[u8]) -> Result<T, PeerError> {
    serde_json::from_slice(body).map_err(|source| PeerError::Json {
        part: part.name(),
        path: path.to_owned(),
        source,
    })
}
