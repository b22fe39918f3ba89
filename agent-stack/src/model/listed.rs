//! The upstream's list of models, kept for a moment: what is asked of a relay many times a second is asked of the server behind
//! it once, which may be slow, far away, or strict about how often it is asked.

use super::error::ApiError;
use super::upstream::{self, Upstream, UpstreamError};
use crate::http_client::read_body;
use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::response::Response;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long a list is as good as new.
const FRESH: Duration = Duration::from_secs(30);

/// A list, or none yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Listed(Arc<Mutex<Option<List>>>);

#[derive(Clone, Debug)]
struct List {
    until: Instant,
    headers: HeaderMap,
    body: Bytes,
}

impl Listed {
    /// The list that `upstream` shows to whoever asks through this server. Who comes while it is asked waits for its answer; an
    /// error is passed on and not kept.
    pub(super) async fn of(
        &self,
        upstream: &Upstream,
        headers: &HeaderMap,
    ) -> Result<Response, ApiError> {
        let mut kept = self.0.lock().await;
        let list = match kept.as_ref().filter(|list| list.until > Instant::now()) {
            Some(list) => list.clone(),
            None => match ask(upstream, headers).await? {
                Asked::Listed(list) => kept.insert(list).clone(),
                Asked::Other(answer) => return Ok(answer),
            },
        };
        drop(kept);
        let mut response = Response::new(Body::from(list.body));
        *response.headers_mut() = list.headers;
        Ok(response)
    }
}

enum Asked {
    Listed(List),
    /// Something else than a list, to be passed on.
    Other(Response),
}

async fn ask(upstream: &Upstream, headers: &HeaderMap) -> Result<Asked, ApiError> {
    let answer = upstream.models(None, headers).await?;
    if !answer.status().is_success() {
        return upstream::relay(Ok(answer), None).map(Asked::Other);
    }
    Ok(Asked::Listed(List {
        headers: upstream::passed_back(answer.headers()),
        body: read_body(answer).await.map_err(UpstreamError::Body)?,
        until: Instant::now() + FRESH,
    }))
}
