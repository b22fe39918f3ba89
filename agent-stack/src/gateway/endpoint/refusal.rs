//! What a request gets that never reaches the MCP library: an HTTP status and a JSON-RPC error that says what to do.

use super::message::MessageError;
use crate::telemetry::chain;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use rmcp::model::ErrorCode;
use serde_json::{Value, json};

/// Code of errors that older servers made up themselves (JSON-RPC leaves -32000 to -32099 to servers).
const SERVER_ERROR: i32 = -32000;

/// Why a request is not passed on.
#[derive(Debug, thiserror::Error)]
pub(in crate::gateway) enum Refusal {
    /// Not JSON by its own account.
    #[error("the Content-Type must be application/json, but it is {found}")]
    ContentType {
        /// The header's value.
        found: String,
    },
    /// Too large.
    #[error("the body has more than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The client stopped sending.
    #[error("the body broke off before its end")]
    BrokenOff,
    /// No message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A revision that this server does not speak, refused as revision 2026-07-28 demands.
    #[error("the revision `{requested}` of MCP is not spoken here, only {}", .supported.join(", "))]
    Revision {
        /// The revisions that are spoken.
        supported: Vec<String>,
        /// The revision that was asked for.
        requested: String,
        /// Id of the request.
        id: Option<Value>,
    },
    /// The same, as servers refused it before there was an error for it.
    #[error(
        "Bad Request: Unsupported protocol version: {requested} (supported versions: {})",
        .supported.join(", ")
    )]
    OldRevision {
        /// The revisions that are spoken.
        supported: Vec<String>,
        /// The revision that was asked for.
        requested: String,
        /// Id of the request.
        id: Option<Value>,
    },
    /// A method that older servers do not know. They answered every JSON-RPC request with 200.
    #[error("Method not found: {method}")]
    OldMethod {
        /// The method.
        method: String,
        /// Id of the request.
        id: Option<Value>,
    },
    /// What the MCP library refused in plain text.
    #[error("{text}")]
    Library {
        /// The HTTP status it chose.
        status: StatusCode,
        /// What it said.
        text: String,
        /// Id of the request, where one was read.
        id: Option<Value>,
    },
}

impl Refusal {
    const fn status(&self) -> StatusCode {
        match self {
            Self::ContentType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::OldMethod { .. } => StatusCode::OK,
            Self::Library { status, .. } => *status,
            Self::BrokenOff
            | Self::Message(_)
            | Self::Revision { .. }
            | Self::OldRevision { .. } => StatusCode::BAD_REQUEST,
        }
    }

    const fn code(&self) -> ErrorCode {
        match self {
            Self::Message(error) if error.is_syntax() => ErrorCode::PARSE_ERROR,
            Self::Revision { .. } => ErrorCode::UNSUPPORTED_PROTOCOL_VERSION,
            Self::OldRevision { .. } => ErrorCode(SERVER_ERROR),
            Self::OldMethod { .. } => ErrorCode::METHOD_NOT_FOUND,
            _ => ErrorCode::INVALID_REQUEST,
        }
    }

    const fn id(&self) -> Option<&Value> {
        match self {
            Self::Message(error) => error.id(),
            Self::Revision { id, .. }
            | Self::OldRevision { id, .. }
            | Self::OldMethod { id, .. }
            | Self::Library { id, .. } => id.as_ref(),
            Self::ContentType { .. } | Self::TooLarge { .. } | Self::BrokenOff => None,
        }
    }

    /// What the revision lets a client act on (`data` of the error).
    fn data(&self) -> Option<Value> {
        match self {
            Self::Revision {
                supported,
                requested,
                ..
            } => Some(json!({"supported": supported, "requested": requested})),
            Self::TooLarge { limit } => Some(json!({"limitBytes": limit})),
            _ => None,
        }
    }

    /// The JSON-RPC error. An error about no known request has no `id`: the schemas of MCP know no null there.
    fn body(&self) -> Value {
        let ErrorCode(code) = self.code();
        let mut error = json!({"code": code, "message": chain(self)});
        if let Some(data) = self.data() {
            error["data"] = data;
        }
        let mut body = json!({"jsonrpc": "2.0", "error": error});
        if let Some(id) = self.id() {
            body["id"] = id.clone();
        }
        body
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let json = [(CONTENT_TYPE, "application/json")];
        (self.status(), json, self.body().to_string()).into_response()
    }
}
