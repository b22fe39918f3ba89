//! Request bodies and refusals: JSON of one shape in, `{"error": {"code", "message"}}` out.

use crate::media_type;
use crate::strict_json;
use crate::telemetry::chain;
use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Largest request, in bytes: a program, and its files in base64.
pub(super) const LARGEST: usize = 4 << 20;
/// Longest time a request may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(20);

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The body is not JSON, or not of the right shape.
    InvalidRequest,
    /// The body is not said to be JSON.
    UnsupportedMediaType,
    /// The body is too large.
    TooLarge,
    /// The body did not arrive in time, or not at all.
    Incomplete,
    /// The program cannot be Python source.
    InvalidCode,
    /// A file that came with the program cannot be put beside it.
    InvalidFile,
    /// A limit that cannot be had.
    InvalidLimit,
    /// Too many programs run and wait; try again.
    Busy,
    /// A layer of confinement is missing that is required.
    Unconfined,
    /// The interpreter failed.
    Internal,
    /// There is no such route.
    NotFound,
    /// The route is called by another method.
    MethodNotAllowed,
}

/// The answer to a request that is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorAnswer {
    /// What is wrong.
    pub error: ErrorBody,
}

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
}

/// A refusal with its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) code: ErrorCode,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// The request is not one that can be carried out.
    pub(super) fn invalid(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self {
            status,
            code,
            message,
        } = self;
        let answer = Json(ErrorAnswer {
            error: ErrorBody { code, message },
        });
        if code == ErrorCode::Busy {
            return (status, [(header::RETRY_AFTER, "1")], answer).into_response();
        }
        (status, answer).into_response()
    }
}

/// A body that is JSON of the shape `T` and says so.
#[derive(Clone, Debug)]
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        check_type(request.headers())?;
        let body = read(request.into_body()).await?;
        parse(&body).map(Self)
    }
}

fn check_type(headers: &HeaderMap) -> Result<(), Failure> {
    if media_type::is_json(headers) {
        return Ok(());
    }
    Err(Failure::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorCode::UnsupportedMediaType,
        "send JSON with `content-type: application/json`",
    ))
}

async fn read(body: Body) -> Result<Bytes, Failure> {
    let arriving = Limited::new(body, LARGEST).collect();
    let Ok(arrived) = tokio::time::timeout(ARRIVAL, arriving).await else {
        let message = format!("the body did not arrive within {} s", ARRIVAL.as_secs());
        return Err(Failure::new(
            StatusCode::REQUEST_TIMEOUT,
            ErrorCode::Incomplete,
            message,
        ));
    };
    match arrived {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::TooLarge,
            format!("the body has more than {LARGEST} bytes"),
        )),
        Err(_) => Err(Failure::invalid(
            ErrorCode::Incomplete,
            "the body ended before it was complete",
        )),
    }
}

/// The one place where bodies are parsed.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    strict_json::from_slice(body).map_err(|error| {
        let message = format!("the body is not the JSON it should be: {}", chain(&error));
        Failure::invalid(ErrorCode::InvalidRequest, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shape {
        code: String,
    }

    fn refused(body: &[u8]) -> String {
        let failure = parse::<Shape>(body).unwrap_err();
        assert_eq!(failure.status, StatusCode::BAD_REQUEST);
        failure.message
    }

    #[test]
    fn json_of_another_shape_is_refused_with_the_place() {
        let deep = "[".repeat(100_000);
        for (body, reason) in [
            (
                &br#"{"code": "1", "code": "2"}"#[..],
                "the member `code` is there twice",
            ),
            (br#"{"code": "1", "cod": 2}"#, "unknown field `cod`"),
            (
                br#"{"code": 1}"#,
                "`code` has the wrong form: invalid type: integer `1`",
            ),
            (b"{\"code\": \"\xff\"}", "not UTF-8 from byte 10 on"),
            (b"{\"code\": \"\\ud800\"}", "hex escape"),
            (b"", "EOF"),
            (deep.as_bytes(), "deeper than 100 levels"),
        ] {
            let message = refused(body);
            assert!(message.contains(reason), "{message}");
        }
    }

    #[test]
    fn only_json_is_taken_for_json() {
        let named =
            |value: &str| HeaderMap::from_iter([(header::CONTENT_TYPE, value.parse().unwrap())]);
        for taken in ["application/json", "Application/JSON; charset=utf-8"] {
            assert!(check_type(&named(taken)).is_ok(), "{taken}");
        }
        for refused in ["text/plain", "application/jsonx", "multipart/form-data"] {
            let failure = check_type(&named(refused)).unwrap_err();
            assert_eq!(failure.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        assert!(check_type(&HeaderMap::new()).is_err());
    }

    #[tokio::test]
    async fn a_body_beyond_the_largest_is_refused() {
        let failure = read(Body::from(vec![0; LARGEST + 1])).await.unwrap_err();
        assert_eq!(failure.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(
            read(Body::from(vec![0; LARGEST])).await.unwrap().len(),
            LARGEST
        );
    }
}
