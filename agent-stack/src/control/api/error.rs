//! What can go wrong between the agent and the API server.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::Value;

/// Why the API server gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The server was not reached.
    #[error("the API server did not answer {method} {path}")]
    Transport {
        method: Method,
        path: String,
        #[source]
        source: Box<kube::Error>,
    },
    /// The answer stopped half way.
    #[error("the answer to {method} {path} broke off")]
    Body {
        method: Method,
        path: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It took longer than the time a request has.
    #[error("the API server did not answer {method} {path} in time")]
    Deadline { method: Method, path: String },
    /// The request could not be written.
    #[error("`{path}` makes no valid request")]
    Request {
        path: String,
        #[source]
        source: http::Error,
    },
    /// The server said no.
    #[error("the API server answered {method} {path} with {status} {reason}: {message}")]
    Refused {
        method: Method,
        path: String,
        status: StatusCode,
        reason: String,
        message: String,
    },
    /// The answer is not JSON.
    #[error("the answer to {method} {path} is not JSON")]
    Json {
        method: Method,
        path: String,
        #[source]
        source: serde_json::Error,
    },
}

impl ApiError {
    /// Whether the server refused what was asked, as opposed to being in trouble itself.
    pub(crate) fn refusal(&self) -> Option<(StatusCode, &str)> {
        match self {
            Self::Refused {
                status, message, ..
            } if status.is_client_error() && *status != StatusCode::TOO_MANY_REQUESTS => {
                Some((*status, message))
            }
            _ => None,
        }
    }

    /// Whether there is no such object, or no such kind.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::NOT_FOUND)
    }
}

/// The server explains itself in a `Status` object; what is not one is quoted.
pub(super) fn refused(method: Method, path: String, status: StatusCode, body: &Bytes) -> ApiError {
    let explained: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |member: &str| {
        explained
            .get(member)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let quoted = || String::from_utf8_lossy(body).chars().take(300).collect();
    ApiError::Refused {
        method,
        path,
        status,
        reason: text("reason").unwrap_or_default(),
        message: text("message").unwrap_or_else(quoted),
    }
}
