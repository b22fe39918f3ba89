//! The HTTP client of the stack's parts: plain HTTP inside the cluster, no redirects, no proxy, bounded answers.

use crate::authorities::Authorities;
use bytes::{Bytes, BytesMut};
use std::time::Duration;

/// Largest answer that is read, in bytes.
pub const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// Why a request got no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The client could not be built.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
    /// No answer came.
    #[error("no answer from {url}")]
    Transport {
        /// What was asked.
        url: String,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// The answer is larger than [`MAX_ANSWER_BYTES`].
    #[error("the answer from {url} has more than {MAX_ANSWER_BYTES} bytes")]
    TooLarge {
        /// What was asked.
        url: String,
    },
}

/// Starts a client that gives up on a request after `timeout`.
///
/// Redirects are not followed: a backend that redirects would otherwise choose where the stack connects to.
pub fn builder(timeout: Duration) -> reqwest::ClientBuilder {
    install_crypto();
    reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(Duration::from_secs(5))
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
}

/// A client for the other parts of the stack, which gives up on a request after `timeout`.
///
/// Parts speak plain HTTP and their image holds no certificates of public authorities, so the client trusts none.
///
/// # Errors
/// When the client cannot be set up.
pub fn client(timeout: Duration) -> Result<reqwest::Client, HttpError> {
    builder(timeout)
        .tls_certs_only([])
        .build()
        .map_err(HttpError::Client)
}

/// The client for the server at `url`, which may be outside the stack and is then believed on the word of `authorities`.
///
/// # Errors
/// When the client cannot be set up, for example because a certificate of an authority is none.
pub fn client_for(
    url: &str,
    authorities: &Authorities,
    timeout: Duration,
) -> Result<reqwest::Client, HttpError> {
    if url.starts_with("https:") {
        authorities
            .build(|| builder(timeout))
            .map_err(HttpError::Client)
    } else {
        client(timeout)
    }
}

/// Makes ring the process's TLS provider unless one is installed; reqwest and kube need one even for plain HTTP.
pub fn install_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been faster; then its provider is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// Reads the whole body, up to [`MAX_ANSWER_BYTES`].
///
/// # Errors
/// When the connection breaks or the body is too large.
pub async fn read_body(mut answer: reqwest::Response) -> Result<Bytes, HttpError> {
    let url = answer.url().to_string();
    let mut body = BytesMut::new();
    loop {
        let chunk = answer
            .chunk()
            .await
            .map_err(|source| HttpError::Transport {
                url: url.clone(),
                source,
            })?;
        match chunk {
            None => return Ok(body.freeze()),
            Some(chunk) if body.len() + chunk.len() > MAX_ANSWER_BYTES => {
                return Err(HttpError::TooLarge { url });
            }
            Some(chunk) => body.extend_from_slice(&chunk),
        }
    }
}
