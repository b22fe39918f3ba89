//! Spans that leave in an answer: the interpreter may not reach the collector, so it hands its spans back.

use super::{Metrics, Telemetry};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use prost::Message as _;
use std::sync::{Arc, Mutex, PoisonError};

/// Why returned spans could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Not base64.
    #[error("the spans are not base64")]
    Base64(#[source] base64::DecodeError),
    /// Not the OTLP message.
    #[error("the spans are not an OTLP trace export")]
    Protobuf(#[source] prost::DecodeError),
}

/// Collects the spans of one request.
#[derive(Debug)]
pub struct Capture {
    telemetry: Telemetry,
    spans: Buffer,
    resource: ResourceAttributesWithSchema,
}

impl Capture {
    /// Starts collecting spans of the part that `resource` describes.
    pub fn new(resource: &Resource) -> Self {
        let spans = Buffer::default();
        let builder = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_simple_exporter(spans.clone());
        Self {
            telemetry: Telemetry::build(builder, Metrics::nowhere()),
            spans,
            resource: resource.into(),
        }
    }

    /// The tracer whose spans are collected.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// The finished spans as base64 of an OTLP `ExportTraceServiceRequest`.
    pub fn encode(&self) -> String {
        let spans =
            std::mem::take(&mut *self.spans.0.lock().unwrap_or_else(PoisonError::into_inner));
        let resource_spans = group_spans_by_resource_and_scope(spans, &self.resource);
        STANDARD.encode(ExportTraceServiceRequest { resource_spans }.encode_to_vec())
    }

    /// Reads what [`Capture::encode`] wrote.
    ///
    /// # Errors
    /// When the text is not such an encoding.
    pub fn decode(text: &str) -> Result<ExportTraceServiceRequest, CaptureError> {
        let bytes = STANDARD.decode(text).map_err(CaptureError::Base64)?;
        ExportTraceServiceRequest::decode(bytes.as_slice()).map_err(CaptureError::Protobuf)
    }
}

#[derive(Clone, Debug, Default)]
struct Buffer(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Buffer {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(batch);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{SpanKind, parse_traceparent, resource};

    #[test]
    fn a_collected_span_keeps_its_parent_and_its_resource() {
        let capture = Capture::new(&resource("interpreter", |_| None));
        let parent = parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        drop(
            capture
                .telemetry()
                .span("run_code python", SpanKind::Server, &parent),
        );
        let export = Capture::decode(&capture.encode()).unwrap();
        let span = &export.resource_spans[0].scope_spans[0].spans[0];
        assert_eq!(hex::encode(&span.parent_span_id), "b7ad6b7169203331");
        assert_eq!(span.name, "run_code python");
        let attributes = &export.resource_spans[0]
            .resource
            .as_ref()
            .unwrap()
            .attributes;
        assert!(
            attributes
                .iter()
                .any(|attribute| attribute.key == "service.name")
        );
    }

    #[test]
    fn garbage_is_not_read_as_spans() {
        assert!(matches!(Capture::decode("%"), Err(CaptureError::Base64(_))));
        assert!(matches!(
            Capture::decode("//8="),
            Err(CaptureError::Protobuf(_))
        ));
    }
}
