//! Errors as OpenAI's API tells them: `{"error": {"message", "type", "param", "code"}}`.

use super::upstream::UpstreamError;
use crate::strict_json::StrictJsonError;
use crate::telemetry::chain;
use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::time::Duration;

/// Why a request is not answered as it asks.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// More bytes than the server reads.
    #[error("the body has more than {limit} bytes")]
    TooLarge { limit: usize },
    /// Not declared as JSON.
    #[error("the body has to be declared as `content-type: application/json`, not as {found}")]
    MediaType { found: String },
    /// The client sends too slowly.
    #[error("the body did not arrive within {} seconds", limit.as_secs_f32())]
    Slow { limit: Duration },
    /// The connection broke.
    #[error("the body broke off")]
    Body(#[source] axum::Error),
    /// Not the JSON of a request.
    #[error("the body cannot be used")]
    Json(#[from] StrictJsonError),
    /// JSON, but no object.
    #[error("the body is no JSON object")]
    NotAnObject,
    /// Something that has to be there.
    #[error("`{param}` is missing")]
    Missing { param: String },
    /// Something that cannot be as it is.
    #[error("`{param}` {reason}")]
    Value { param: String, reason: String },
    /// Something this server does not do.
    #[error("`{param}` is not supported: {reason}")]
    Unsupported {
        param: &'static str,
        reason: &'static str,
    },
    /// A model that is not served here.
    #[error("the model `{name}` does not exist here; there is {served}")]
    UnknownModel { name: String, served: String },
    /// No such address.
    #[error("there is no {method} {path}")]
    UnknownUrl { method: Method, path: String },
    /// The address takes other methods.
    #[error("{path} does not take {method}")]
    Method { method: Method, path: String },
    /// The upstream server does not answer.
    #[error("no answer from upstream")]
    Upstream(#[from] UpstreamError),
    /// The upstream leads back to this server.
    #[error(
        "the request came back to a server it had passed: the upstream of `{name}` leads in a circle"
    )]
    UpstreamLoop { name: String },
}

impl ApiError {
    /// A value that cannot be as it is.
    pub(super) fn value(param: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Value {
            param: param.into(),
            reason: reason.into(),
        }
    }

    /// Something that has to be there.
    pub(super) fn missing(param: impl Into<String>) -> Self {
        Self::Missing {
            param: param.into(),
        }
    }

    /// The HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Slow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Body(_)
            | Self::Json(_)
            | Self::NotAnObject
            | Self::Missing { .. }
            | Self::Value { .. }
            | Self::Unsupported { .. } => StatusCode::BAD_REQUEST,
            Self::UnknownModel { .. } | Self::UnknownUrl { .. } => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Upstream(_) => StatusCode::BAD_GATEWAY,
            Self::UpstreamLoop { .. } => StatusCode::LOOP_DETECTED,
        }
    }

    /// What a program can tell the error by; OpenAI's codes where it has one.
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "request_too_large",
            Self::MediaType { .. } => "unsupported_media_type",
            Self::Slow { .. } => "request_timeout",
            Self::Body(_) => "incomplete_body",
            Self::Json(StrictJsonError::Duplicate { .. }) => "duplicate_member",
            Self::Json(StrictJsonError::Shape { .. }) | Self::NotAnObject => "invalid_type",
            Self::Json(_) => "invalid_json",
            Self::Missing { .. } => "missing_required_parameter",
            Self::Value { .. } => "invalid_value",
            Self::Unsupported { .. } => "unsupported_parameter",
            Self::UnknownModel { .. } => "model_not_found",
            Self::UnknownUrl { .. } => "unknown_url",
            Self::Method { .. } => "method_not_allowed",
            Self::Upstream(_) => "upstream_unavailable",
            Self::UpstreamLoop { .. } => "upstream_loop",
        }
    }

    /// The member of the request that is at fault.
    fn param(&self) -> Option<&str> {
        match self {
            Self::Json(error) => error.path(),
            Self::Missing { param } | Self::Value { param, .. } => Some(param),
            Self::Unsupported { param, .. } => Some(param),
            Self::UnknownModel { .. } => Some("model"),
            _ => None,
        }
    }

    fn kind(&self) -> &'static str {
        if self.status().is_server_error() {
            "server_error"
        } else {
            "invalid_request_error"
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.status().is_server_error() {
            tracing::warn!(error = chain(&self), "a request failed");
        }
        let error = json!({
            "message": chain(&self),
            "type": self.kind(),
            "param": self.param(),
            "code": self.code(),
        });
        (self.status(), Json(json!({ "error": error }))).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strict_json;

    #[test]
    fn an_error_tells_its_causes_and_the_member_at_fault() {
        let wrong = strict_json::from_slice::<Vec<u8>>(b"[1, \"x\"]").unwrap_err();
        let error = ApiError::from(wrong);
        assert_eq!((error.param(), error.code()), (Some("[1]"), "invalid_type"));
        assert_eq!(
            chain(&error),
            "the body cannot be used: `[1]` has the wrong form: invalid type: string \"x\", expected u8 at line 1 column 7"
        );
    }
}
