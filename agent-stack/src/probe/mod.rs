//! One attempt to reach an address, and what the attempt looked like from here.
//!
//! The outcome is only what this end saw. Whether something got through is for the other end to say: a blocked and a
//! closed port look alike, and a datagram that left says nothing about its arrival.

mod attempt;
mod outcome;
#[cfg(test)]
mod tests;

pub use outcome::Outcome;

use outcome::classify;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// Longest nonce, in bytes.
const MAX_NONCE: usize = 128;

/// Body of `POST /v1/probe`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeRequest {
    /// Address and port, for example `10.0.0.7:4433`; never a name, so that no resolver has a say.
    pub address: SocketAddr,
    /// How to try.
    pub transport: Transport,
    /// Path and query of an HTTP probe; `/reach?nonce=<nonce>` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What is sent and looked for in the answer.
    pub nonce: String,
    /// Time for the whole attempt, in milliseconds.
    pub timeout_ms: u64,
}

/// How to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// A connection that carries the nonce and waits for its echo.
    Tcp,
    /// One datagram with the nonce.
    Udp,
    /// A GET whose answer holds the nonce.
    Http,
}

/// Answer to `POST /v1/probe`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeAnswer {
    /// What this end saw.
    pub outcome: Outcome,
    /// Detail for people, for example the errno.
    pub detail: String,
    /// Whether the peer sent the nonce back; absent where no answer is expected or none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<bool>,
}

/// Makes the attempt.
pub async fn run(request: &ProbeRequest) -> ProbeAnswer {
    if request.nonce.is_empty()
        || request.nonce.len() > MAX_NONCE
        || request.nonce.contains(['\r', '\n'])
    {
        return ProbeAnswer {
            outcome: Outcome::NotRun,
            detail: "the nonce is not one line".into(),
            received: None,
        };
    }
    let limit = Duration::from_millis(request.timeout_ms);
    match request.transport {
        Transport::Tcp => attempt::tcp(request, limit).await,
        Transport::Udp => attempt::udp(request).await,
        Transport::Http => attempt::http(request, limit).await,
    }
}
