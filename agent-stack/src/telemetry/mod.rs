//! Spans, metrics and the log, and their ways out: the OpenTelemetry API directly, because kinds, parents and links must be
//! exact.
//!
//! A [`Telemetry`] belongs to one part of the stack; nothing is global, so that a test can run every part in one
//! process and still see who emitted what. Without an endpoint nothing is exported, but trace context still travels.

mod capture;
mod exchange;
mod exposition;
mod log;
mod metrics;
mod relay;
mod span;
#[cfg(test)]
mod tests;

pub use capture::{Capture, CaptureError};
pub(crate) use exchange::observe;
pub(crate) use exposition::with_metrics;
pub use log::{chain, log_to_stderr};
pub use metrics::Metrics;
pub use opentelemetry::Context;
pub use opentelemetry::trace::SpanKind;
pub use relay::{RelayError, SpanRelay};
pub use span::{ActiveSpan, TRACEPARENT, header_context, parse_traceparent, traceparent};

use opentelemetry::KeyValue;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider, TracerProviderBuilder,
};
use portproof_proto::telemetry as names;
use std::time::Duration;

/// How long finished spans wait for company before they are sent.
const EXPORT_DELAY: Duration = Duration::from_millis(200);
/// Longest time the last spans get to leave.
pub(crate) const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The endpoint is not one that spans and metrics can be sent to.
    #[error("spans and metrics cannot be exported to `{endpoint}`")]
    Exporter {
        /// The endpoint.
        endpoint: String,
        /// What is wrong with it.
        #[source]
        source: opentelemetry_otlp::ExporterBuildError,
    },
}

/// Who emits spans and metrics and where they go.
#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    /// Resource that every span and metric carries.
    pub resource: Resource,
    /// OTLP gRPC endpoint; `None` exports nothing.
    pub endpoint: Option<String>,
}

impl TelemetryConfig {
    /// Reads the endpoint and the pod's identity from the environment.
    pub fn from_env(service: &str) -> Self {
        Self {
            resource: resource(service, |name| std::env::var(name).ok()),
            endpoint: variable(names::OTLP_ENDPOINT_ENV),
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The resource of `service` in the pod that `variable` describes.
pub fn resource(service: &str, variable: impl Fn(&str) -> Option<String>) -> Resource {
    let pairs = [
        (names::CLUSTER_UID, "CLUSTER_UID"),
        (names::POD_NAME, "POD_NAME"),
        (names::POD_UID, "POD_UID"),
        (names::NAMESPACE_NAME, "POD_NAMESPACE"),
        (names::NODE_NAME, "NODE_NAME"),
        ("service.instance.id", "POD_UID"),
    ];
    let known = pairs.into_iter().filter_map(|(key, name)| {
        Some(KeyValue::new(
            key,
            variable(name).filter(|v| !v.is_empty())?,
        ))
    });
    Resource::builder()
        .with_service_name(service.to_owned())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attributes(known)
        .build()
}

/// The tracer and the instruments of one part of the stack.
#[derive(Clone, Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    metrics: Metrics,
}

impl Telemetry {
    /// Starts exporting to the endpoint of `config`, or to nowhere without one.
    ///
    /// # Errors
    /// When the endpoint cannot be used. Must run inside a multi-threaded Tokio runtime.
    pub fn start(config: TelemetryConfig) -> Result<Self, TelemetryError> {
        let TelemetryConfig { resource, endpoint } = config;
        let metrics = Metrics::start(resource.clone(), endpoint.as_deref()).map_err(|source| {
            let endpoint = endpoint.clone().unwrap_or_default();
            TelemetryError::Exporter { endpoint, source }
        })?;
        let builder = SdkTracerProvider::builder().with_resource(resource);
        Ok(match endpoint {
            None => Self::build(builder, metrics),
            Some(endpoint) => Self::build(builder.with_span_processor(batches(endpoint)?), metrics),
        })
    }

    /// A tracer whose spans go nowhere; their context still travels, and its metrics can still be read at `/metrics`.
    pub fn disabled(service: &str) -> Self {
        Self::unexported(resource(service, |_| None))
    }

    /// The same for the part that `resource` describes.
    pub fn unexported(resource: Resource) -> Self {
        let builder = SdkTracerProvider::builder().with_resource(resource.clone());
        Self::build(builder, Metrics::unpushed(resource))
    }

    fn build(builder: TracerProviderBuilder, metrics: Metrics) -> Self {
        let provider = builder.build();
        let tracer = provider.tracer("agent-stack");
        Self {
            provider,
            tracer,
            metrics,
        }
    }

    /// What the part counts.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Starts a span below `parent`; a `parent` without a span starts a new trace.
    pub fn span(&self, name: impl Into<String>, kind: SpanKind, parent: &Context) -> ActiveSpan {
        let span = self
            .tracer
            .span_builder(name.into())
            .with_kind(kind)
            .start_with_context(&self.tracer, parent);
        ActiveSpan::new(parent.with_span(span))
    }

    /// Sends what has not been sent yet and stops.
    pub async fn shutdown(&self) {
        let (provider, metrics) = (self.provider.clone(), self.metrics.clone());
        // Both block their caller until a thread of their own is done.
        let spans =
            tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_LIMIT));
        let counts = tokio::task::spawn_blocking(move || metrics.shutdown(FLUSH_LIMIT));
        let (spans, counts) = tokio::join!(spans, counts);
        if let Ok(Err(error)) = spans {
            tracing::warn!(error = chain(&error), "the last spans may be lost");
        }
        if let Ok(Err(error)) = counts {
            tracing::warn!(error = chain(&error), "the last metrics may be lost");
        }
    }
}

fn batches(endpoint: String) -> Result<BatchSpanProcessor, TelemetryError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&endpoint)
        .with_timeout(FLUSH_LIMIT)
        .build()
        .map_err(|source| TelemetryError::Exporter { endpoint, source })?;
    let config = BatchConfigBuilder::default()
        .with_scheduled_delay(EXPORT_DELAY)
        .build();
    Ok(BatchSpanProcessor::builder(exporter)
        .with_batch_config(config)
        .build())
}
