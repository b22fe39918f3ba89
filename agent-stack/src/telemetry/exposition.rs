//! Metrics as Prometheus text: the format 0.0.4 that every Prometheus reads, and OpenMetrics 1.0 for those who ask for it.
//!
//! Names are translated as OpenTelemetry's compatibility specification says: `_` for what Prometheus does not allow, the
//! unit and `_total` as suffixes, the resource as `target_info`.

mod family;

use super::Metrics;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use family::{Family, families};
use http_body_util::{BodyExt as _, Limited};

/// Most bytes of metrics that a part's own route may answer with.
const MAX_OWN: usize = 4 * 1024 * 1024;
/// Last line of an OpenMetrics text.
const END: &str = "# EOF\n";

/// A format of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Prometheus,
    OpenMetrics,
}

impl Format {
    /// The one a scraper asks for; Prometheus lists OpenMetrics in `Accept` when it can read it.
    fn wanted(accept: Option<&HeaderValue>) -> Self {
        Self::of(
            accept
                .and_then(|accept| accept.to_str().ok())
                .unwrap_or_default(),
        )
    }

    fn of_answer(headers: &HeaderMap) -> Self {
        Self::wanted(headers.get(header::CONTENT_TYPE))
    }

    fn of(media_type: &str) -> Self {
        if media_type.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The answer to `GET /metrics`. A part that has such a route of its own (the model server, with vLLM's names) comes
/// first, and what every part counts is appended in the same format.
pub(crate) async fn answer(
    metrics: &Metrics,
    accept: Option<&HeaderValue>,
    own: Response,
) -> Response {
    if own.status() == StatusCode::NOT_FOUND {
        return text(metrics, Format::wanted(accept), "");
    }
    if !own.status().is_success() {
        return own;
    }
    let format = Format::of_answer(own.headers());
    match own_text(own.into_body()).await {
        Some(own) => text(metrics, format, &own),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn own_text(body: Body) -> Option<String> {
    let body = Limited::new(body, MAX_OWN).collect().await.ok()?;
    String::from_utf8(body.to_bytes().into()).ok()
}

impl Metrics {
    /// Everything counted so far, in the format 0.0.4.
    pub fn text(&self) -> String {
        join("", &families(&self.collect()), Format::Prometheus)
    }
}

fn text(metrics: &Metrics, format: Format, own: &str) -> Response {
    let families = families(&metrics.collect());
    let text = join(own, &families, format);
    ([(header::CONTENT_TYPE, format.media_type())], text).into_response()
}

/// A family that the part writes itself is not written twice.
fn join(own: &str, families: &[Family], format: Format) -> String {
    let mut text = own.trim_end_matches(END).to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for family in families {
        if !own.contains(&format!("# TYPE {} ", family.announced(format))) {
            family.write(format, &mut text);
        }
    }
    if format == Format::OpenMetrics {
        text.push_str(END);
    }
    text
}

#[cfg(test)]
mod tests;
