//! What is noted of every HTTP exchange: how long it took by route and status, and one event of the log.
//!
//! Probes and scrapes come every second and are not what a part is for; they are left out.

use super::Metrics;
use super::span::header_context;
use crate::server::HoldingBody;
use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use opentelemetry::trace::{TraceContextExt as _, TraceId};
use opentelemetry::{KeyValue, Value};
use portproof_proto::telemetry::ERROR_TYPE;
use std::time::Instant;
use tracing::Instrument as _;

/// Paths that are not counted.
const UNCOUNTED: [&str; 4] = ["/livez", "/readyz", "/healthz", "/metrics"];
/// Notes every exchange of `router`. Handlers find the metrics in the request's extensions.
pub(crate) fn observe(router: Router, metrics: &Metrics) -> Router {
    router.layer(middleware::from_fn_with_state(metrics.clone(), exchange))
}

async fn exchange(State(metrics): State<Metrics>, mut request: Request, next: Next) -> Response {
    if UNCOUNTED.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let mut observation = Observation::begin(&metrics, &request);
    request.extensions_mut().insert(metrics);
    let response = next.run(request).instrument(observation.log_span()).await;
    observation.status = Some(response.status());
    response.map(|body| Body::new(HoldingBody::new(body, observation)))
}

/// An exchange; it is noted when its answer has been sent or given up.
struct Observation {
    metrics: Metrics,
    began: Instant,
    method: &'static str,
    route: Option<MatchedPath>,
    trace: Option<TraceId>,
    /// Absent until the handler has answered.
    status: Option<StatusCode>,
}

impl Observation {
    fn begin(metrics: &Metrics, request: &Request) -> Self {
        let observation = Self {
            metrics: metrics.clone(),
            began: Instant::now(),
            method: method(request.method()),
            route: request.extensions().get::<MatchedPath>().cloned(),
            trace: trace(request),
            status: None,
        };
        metrics.request_began(&observation.what());
        observation
    }

    /// Carries the trace id into every event that the handler logs.
    fn log_span(&self) -> tracing::Span {
        match self.trace {
            Some(trace) => tracing::info_span!("request", trace_id = %trace),
            None => tracing::Span::none(),
        }
    }

    /// What is known when a request begins.
    fn what(&self) -> [KeyValue; 2] {
        [
            KeyValue::new("http.request.method", self.method),
            KeyValue::new("url.scheme", "http"),
        ]
    }

    fn all(&self) -> Vec<KeyValue> {
        let mut attributes = Vec::with_capacity(5);
        attributes.extend(self.what());
        let route = self.route.as_ref();
        attributes
            .extend(route.map(|route| KeyValue::new("http.route", route.as_str().to_owned())));
        match self.status {
            Some(status) => {
                let code = i64::from(status.as_u16());
                attributes.push(KeyValue::new("http.response.status_code", code));
                attributes.extend(
                    status
                        .is_server_error()
                        .then(|| error(status.as_u16().to_string())),
                );
            }
            None => attributes.push(error("cancelled")),
        }
        attributes
    }
}

fn error(class: impl Into<Value>) -> KeyValue {
    KeyValue::new(ERROR_TYPE, class)
}

impl Drop for Observation {
    fn drop(&mut self) {
        let elapsed = self.began.elapsed();
        self.metrics.request_ended(&self.what());
        self.metrics.request_took(elapsed, &self.all());
        tracing::debug!(
            target: "agent_stack::access",
            trace_id = self.trace.map(tracing::field::display),
            method = self.method,
            route = self.route.as_ref().map(MatchedPath::as_str),
            status = self.status.map(|status| status.as_u16()),
            milliseconds = elapsed.as_secs_f64() * 1e3,
            "request"
        );
    }
}

/// Methods of RFC 9110 and 5789 by name; others would let a client invent labels.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "_OTHER",
    }
}

fn trace(request: &Request) -> Option<TraceId> {
    let context = header_context(request.headers());
    let trace = context.span().span_context().trace_id();
    (trace != TraceId::INVALID).then_some(trace)
}
