//! `/metrics`: what a part counts, as text for Prometheus.
//!
//! Names are translated as OpenTelemetry's compatibility specification says: `_` for what Prometheus does not allow, the
//! unit and `_total` as suffixes, the resource as `target_info`. OpenMetrics is not offered: what it adds (exemplars, the
//! times of creation) no part tells, and whoever reads it reads this too.

use super::Metrics;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

/// The name that the encoder gives its format, and that it is UTF-8.
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Adds `/metrics` to `router`.
pub(crate) fn with_metrics(router: Router, metrics: &Metrics) -> Router {
    let page = Router::new().route("/metrics", get(page));
    router.merge(page.with_state(metrics.clone()))
}

async fn page(State(metrics): State<Metrics>) -> Response {
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(error) => {
            tracing::warn!(error = super::chain(&error), "metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests;
