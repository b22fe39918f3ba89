//! What a part without errors of a form of its own says to requests that are not for it.

use axum::http::{Method, StatusCode, Uri};
use axum::{Json, Router};
use serde_json::{Value, json};

/// Answers other addresses and methods with the reason in JSON.
pub(crate) fn with_refusals(router: Router) -> Router {
    router
        .fallback(unknown)
        .method_not_allowed_fallback(other_method)
}

async fn unknown(method: Method, uri: Uri) -> (StatusCode, Json<Value>) {
    refusal(
        StatusCode::NOT_FOUND,
        &format!("there is no {method} {}", uri.path()),
    )
}

async fn other_method(method: Method, uri: Uri) -> (StatusCode, Json<Value>) {
    refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("{} does not take {method}", uri.path()),
    )
}

fn refusal(status: StatusCode, reason: &str) -> (StatusCode, Json<Value>) {
    (status, Json(json!({ "error": reason })))
}
