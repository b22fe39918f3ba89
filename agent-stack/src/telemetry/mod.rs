//! Spans and their way out: the OpenTelemetry API directly, because kinds, parents and links must be exact.
//!
//! A [`Telemetry`] belongs to one part of the stack; nothing is global, so that a test can run every part in one
//! process and still see who emitted what. Without an endpoint nothing is exported, but trace context still travels.

mod capture;
mod relay;
mod span;

pub use capture::{Capture, CaptureError};
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
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The endpoint is not one spans can be sent to.
    #[error("spans cannot be exported to `{endpoint}`")]
    Exporter {
        /// The endpoint.
        endpoint: String,
        /// What is wrong with it.
        #[source]
        source: opentelemetry_otlp::ExporterBuildError,
    },
}

/// Who emits spans and where they go.
#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    /// Resource that every span carries.
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

/// The tracer of one part of the stack.
#[derive(Clone, Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Telemetry {
    /// Starts exporting to the endpoint of `config`, or to nowhere without one.
    ///
    /// # Errors
    /// When the endpoint cannot be used. Must run inside a multi-threaded Tokio runtime.
    pub fn start(config: TelemetryConfig) -> Result<Self, TelemetryError> {
        let builder = SdkTracerProvider::builder().with_resource(config.resource);
        Ok(match config.endpoint {
            None => Self::build(builder),
            Some(endpoint) => Self::build(builder.with_span_processor(batches(endpoint)?)),
        })
    }

    /// A tracer whose spans go nowhere; their context still travels.
    pub fn disabled(service: &str) -> Self {
        Self::build(SdkTracerProvider::builder().with_resource(resource(service, |_| None)))
    }

    fn build(builder: TracerProviderBuilder) -> Self {
        let provider = builder.build();
        let tracer = provider.tracer("agent-stack");
        Self { provider, tracer }
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
        let provider = self.provider.clone();
        // The processor blocks its caller until its own thread is done.
        let done =
            tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_LIMIT)).await;
        if let Ok(Err(error)) = done {
            tracing::warn!(%error, "the last spans may be lost");
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

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::Key;

    #[test]
    fn the_resource_names_the_pod_and_leaves_out_what_is_unknown() {
        let found = resource("agent", |name| match name {
            "POD_NAME" => Some("agent-0".into()),
            "NODE_NAME" => Some(String::new()),
            _ => None,
        });
        assert_eq!(
            found.get(&Key::new(names::POD_NAME)).unwrap().as_str(),
            "agent-0"
        );
        assert_eq!(
            found.get(&Key::new(names::SERVICE_NAME)).unwrap().as_str(),
            "agent"
        );
        assert!(found.get(&Key::new(names::NODE_NAME)).is_none());
        assert!(found.get(&Key::new(names::POD_UID)).is_none());
    }

    #[test]
    fn context_travels_even_when_nothing_is_exported() {
        let telemetry = Telemetry::disabled("agent");
        let parent = parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        let span = telemetry.span("x", SpanKind::Internal, &parent);
        let carried = traceparent(span.context()).unwrap();
        assert!(
            carried.starts_with("00-0af7651916cd43dd8448eb211c80319c-"),
            "{carried}"
        );
        assert!(!carried.contains("b7ad6b7169203331"), "{carried}");
    }
}
