//! The body of `POST /v1/tasks`, and what is wrong with one that is no task.

use crate::media_type;
use crate::strict_json::{self, StrictJsonError};
use crate::telemetry::chain;
use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// Largest body, in bytes.
const MAX_BODY: usize = 64 << 10;
/// Longest prompt, in characters.
const MAX_PROMPT: usize = 16_384;
/// Longest id, in characters.
const MAX_ID: usize = 128;
/// Longest time a task may name, in seconds.
pub const MAX_SECONDS: u32 = 600;
const DEFAULT_SECONDS: u32 = 60;

/// Body of `POST /v1/tasks`.
///
/// A member that is there twice or that is not known is refused, so that nothing has two meanings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskRequest {
    /// Id of the task, for spans; made up when none is given.
    #[serde(default = "new_id")]
    pub task_id: String,
    /// What to do.
    pub prompt: String,
    /// Longest time it may take, in seconds, 1 to 600; 60 when none is given.
    #[serde(default = "default_seconds")]
    pub deadline_seconds: u32,
}

fn new_id() -> String {
    Uuid::new_v4().to_string()
}

const fn default_seconds() -> u32 {
    DEFAULT_SECONDS
}

/// Why a body is no task.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Another media type than JSON.
    #[error("the body must be `application/json`, not `{found}`")]
    MediaType {
        /// The `Content-Type`.
        found: String,
    },
    /// None of the forms of the answer is accepted.
    #[error(
        "the answer comes as `text/event-stream` or `application/x-ndjson`, and `{accepted}` takes neither"
    )]
    Accept {
        /// The `Accept` header.
        accepted: String,
    },
    /// Too long a body.
    #[error("the body has more than {MAX_BODY} bytes")]
    TooLarge,
    /// The client stopped sending.
    #[error("the body broke off before its end")]
    BrokenOff,
    /// Not the JSON of a task.
    #[error("the body is not a task")]
    Json(#[from] StrictJsonError),
    /// No such address.
    #[error("there is no {method} {path}; see `POST /v1/tasks`")]
    UnknownUrl {
        /// The method.
        method: Method,
        /// The path.
        path: String,
    },
    /// The address takes other methods.
    #[error("{path} does not take {method}")]
    Method {
        /// The method.
        method: Method,
        /// The path.
        path: String,
    },
    /// A member has a value that no task can have.
    #[error("`{member}` must {rule}")]
    Value {
        /// The member.
        member: &'static str,
        /// What it must be.
        rule: String,
    },
}

impl RequestError {
    const fn status(&self) -> StatusCode {
        match self {
            Self::MediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Accept { .. } => StatusCode::NOT_ACCEPTABLE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnknownUrl { .. } => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::BrokenOff | Self::Json(_) | Self::Value { .. } => StatusCode::BAD_REQUEST,
        }
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::MediaType { .. } => "unsupported_media_type",
            Self::Accept { .. } => "not_acceptable",
            Self::TooLarge => "body_too_large",
            Self::BrokenOff => "incomplete_body",
            Self::UnknownUrl { .. } => "unknown_url",
            Self::Method { .. } => "method_not_allowed",
            Self::Json(_) => "invalid_json",
            Self::Value { .. } => "invalid_value",
        }
    }
}

impl IntoResponse for RequestError {
    fn into_response(self) -> Response {
        let error = json!({"code": self.code(), "message": chain(&self)});
        (self.status(), Json(json!({"error": error}))).into_response()
    }
}

/// Reads a task from a request.
pub(super) async fn read(request: Request) -> Result<TaskRequest, RequestError> {
    check_media_type(request.headers())?;
    match Limited::new(request.into_body(), MAX_BODY).collect().await {
        Ok(body) => parse(&body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(RequestError::TooLarge),
        Err(_) => Err(RequestError::BrokenOff),
    }
}

/// `curl -d` names a form and means JSON more often than not, yet a browser may send a form across origins unasked.
fn check_media_type(headers: &HeaderMap) -> Result<(), RequestError> {
    if media_type::is_json(headers) {
        return Ok(());
    }
    let found = media_type::declared(headers);
    Err(RequestError::MediaType { found })
}

fn parse(body: &Bytes) -> Result<TaskRequest, RequestError> {
    let task: TaskRequest = strict_json::from_slice(body)?;
    check_text("taskId", &task.task_id, MAX_ID)?;
    check_text("prompt", &task.prompt, MAX_PROMPT)?;
    if (1..=MAX_SECONDS).contains(&task.deadline_seconds) {
        Ok(task)
    } else {
        Err(RequestError::Value {
            member: "deadlineSeconds",
            rule: format!("lie between 1 and {MAX_SECONDS}"),
        })
    }
}

fn check_text(member: &'static str, text: &str, longest: usize) -> Result<(), RequestError> {
    let rule = if text.trim().is_empty() {
        "not be empty".to_owned()
    } else if text.chars().count() > longest {
        format!("have at most {longest} characters")
    } else {
        return Ok(());
    };
    Err(RequestError::Value { member, rule })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::header;
    use proptest::prelude::*;

    fn refused(body: &str) -> String {
        chain(&parse(&Bytes::copy_from_slice(body.as_bytes())).unwrap_err())
    }

    #[test]
    fn a_prompt_is_enough() {
        let task = parse(&Bytes::from_static(br#"{"prompt": "p"}"#)).unwrap();
        assert_eq!((task.prompt.as_str(), task.deadline_seconds), ("p", 60));
        assert!(!task.task_id.is_empty());
    }

    #[test]
    fn what_is_no_task_is_refused_with_the_reason() {
        let long = "x".repeat(MAX_PROMPT + 1);
        let deep = "[".repeat(10_000);
        let cases = [
            (
                r#"{"prompt": "a", "prompt": "b"}"#.to_owned(),
                "the member `prompt` is there twice",
            ),
            (
                r#"{"prompt": "a", "deadline": 1}"#.to_owned(),
                "unknown field `deadline`",
            ),
            (format!(r#"{{"prompt": {deep}"#), "deeper than 100 levels"),
            (
                r#"{"prompt": 7}"#.to_owned(),
                "`prompt` has the wrong form: invalid type: integer `7`, expected a string",
            ),
            ("{}".to_owned(), "missing field `prompt`"),
            (
                r#"{"prompt": " \n"}"#.to_owned(),
                "`prompt` must not be empty",
            ),
            (
                format!(r#"{{"prompt": "{long}"}}"#),
                "`prompt` must have at most 16384 characters",
            ),
            (
                r#"{"prompt": "a", "deadlineSeconds": 0}"#.to_owned(),
                "`deadlineSeconds` must lie between 1 and 600",
            ),
            (
                r#"{"prompt": "a", "deadlineSeconds": 601}"#.to_owned(),
                "must lie between",
            ),
            (
                r#"{"prompt": "a", "deadlineSeconds": -1}"#.to_owned(),
                "invalid value: integer `-1`",
            ),
            (
                r#"{"prompt": "a", "deadlineSeconds": 1e99}"#.to_owned(),
                "invalid type: floating point",
            ),
        ];
        for (body, expected) in cases {
            let found = refused(&body);
            assert!(
                found.contains(expected),
                "`{found}` does not say `{expected}`"
            );
        }
        let latin = parse(&Bytes::from_static(b"{\"prompt\": \"\xe9\"}")).unwrap_err();
        assert!(
            chain(&latin).contains("not UTF-8 from byte 12 on"),
            "{latin:?}"
        );
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_not_called_too_large() {
        let parts = [
            Ok(Bytes::from_static(b"{")),
            Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe)),
        ];
        let body = Body::from_stream(futures::stream::iter(parts));
        let request = Request::post("/v1/tasks").header(header::CONTENT_TYPE, "application/json");
        let error = read(request.body(body).unwrap()).await.unwrap_err();
        assert_eq!(
            (error.status(), error.code()),
            (StatusCode::BAD_REQUEST, "incomplete_body")
        );
        let large = Request::post("/v1/tasks").header(header::CONTENT_TYPE, "application/json");
        let large = large.body(Body::from(vec![b' '; MAX_BODY + 1]));
        let error = read(large.unwrap()).await.unwrap_err();
        assert_eq!(error.code(), "body_too_large");
    }

    proptest! {
        #[test]
        fn a_task_is_read_as_it_was_written(task_id in "[a-z0-9-]{1,20}", prompt in "\\PC{0,40}x", deadline_seconds in 1..=MAX_SECONDS) {
            let task = TaskRequest { task_id, prompt, deadline_seconds };
            let body = Bytes::from(serde_json::to_vec(&task).unwrap());
            prop_assert_eq!(parse(&body).unwrap(), task);
        }

        #[test]
        fn no_bytes_make_the_reader_fail_otherwise_than_by_an_error(body in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&Bytes::from(body));
        }
    }
}
