//! The three questions an orchestrator asks of a part.
//!
//! `/livez`: would a restart help? Only when nothing answers at all. `/readyz`: may requests be sent here? `/healthz` is
//! the older name of `/readyz` and answers the same.

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use std::sync::Arc;

/// Path of the liveness question.
pub(super) const LIVE: &str = "/livez";
/// Path of the readiness question.
pub(super) const READY: &str = "/readyz";
/// Older path of the readiness question.
pub(super) const HEALTH: &str = "/healthz";

/// Says whether a part can serve, with the reason when it can't.
pub type Readiness = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// A part that is ready as soon as it listens.
pub fn always_ready() -> Readiness {
    Arc::new(|| Ok(()))
}

/// Adds `GET /livez`, `/readyz` and `/healthz`: 200, or 503 with the reason when the part is not ready.
pub fn with_health(router: Router, ready: Readiness) -> Router {
    let also_ready = Arc::clone(&ready);
    router
        .route(LIVE, get(async || "ok"))
        .route(READY, get(move || async move { readiness(&ready) }))
        .route(HEALTH, get(move || async move { readiness(&also_ready) }))
}

fn readiness(ready: &Readiness) -> Response {
    match ready() {
        Ok(()) => "ok".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason).into_response(),
    }
}

/// Whether a request asks if it may send here.
pub(super) fn asks_readiness(path: &str) -> bool {
    path == READY || path == HEALTH
}

/// The answer of a part that is about to end.
pub(super) fn leaving() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "stopping").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    async fn ask(path: &str, ready: Readiness) -> StatusCode {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let router = with_health(Router::new(), ready);
        router.oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn readiness_says_whether_the_part_can_serve_and_liveness_does_not_care() {
        for path in [READY, HEALTH] {
            assert_eq!(ask(path, always_ready()).await, StatusCode::OK);
            let not_yet = Arc::new(|| Err("not yet".into()));
            assert_eq!(ask(path, not_yet).await, StatusCode::SERVICE_UNAVAILABLE);
        }
        let never = Arc::new(|| Err("never".into()));
        assert_eq!(ask(LIVE, never).await, StatusCode::OK);
    }
}
