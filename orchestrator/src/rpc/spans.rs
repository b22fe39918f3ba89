//! The spans of a run as they arrive, by trace; waiting for them is driven by arrival, not by time.

use crate::verify::evidence::{Span, SpanKind, TraceEvidence};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1 as otlp;
use portproof_proto::telemetry::SERVICE_NAME;
use prost::Message as _;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

type Traces = BTreeMap<String, Vec<Span>>;

/// Every span that arrived, once: OTLP may deliver twice. Different spans under one id are both kept, for the rules to notice.
#[derive(Debug, Default)]
pub struct SpanStore {
    traces: Mutex<Traces>,
    lost: watch::Sender<u64>,
    interrupted: AtomicBool,
    arrivals: watch::Sender<u64>,
}

impl SpanStore {
    /// Takes in one batch of OTLP bytes; gives back how many of its spans are new.
    ///
    /// # Errors
    /// When the bytes are no `ExportTraceServiceRequest`.
    pub fn ingest(&self, bytes: &[u8]) -> Result<usize, prost::DecodeError> {
        let request = ExportTraceServiceRequest::decode(bytes)?;
        let new = self.insert(spans(request));
        self.arrivals.send_modify(|count| *count += 1);
        Ok(new)
    }

    fn insert(&self, spans: Vec<Span>) -> usize {
        let mut traces = self.traces();
        let mut new = 0;
        for span in spans {
            let trace = traces.entry(span.trace_id.clone()).or_default();
            if !trace.contains(&span) {
                trace.push(span);
                new += 1;
            }
        }
        new
    }

    /// Notes how many batches are known to be lost by now.
    pub fn note_lost(&self, batches: u64) {
        self.lost.send_modify(|lost| *lost = (*lost).max(batches));
    }

    /// How many batches are known to be lost.
    pub fn lost(&self) -> u64 {
        *self.lost.borrow()
    }

    /// Notes whether the relay broke off and nothing has arrived since.
    pub fn note_interrupted(&self, interrupted: bool) {
        self.interrupted.store(interrupted, Ordering::Relaxed);
    }

    /// Whether the relay broke off and nothing has arrived since.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Waits until the spans of a trace satisfy `complete`, or until the deadline; gives back what there is.
    pub async fn wait_for(
        &self,
        trace_id: &str,
        deadline: Duration,
        complete: impl Fn(&[Span]) -> bool,
    ) -> TraceEvidence {
        let mut arrivals = self.arrivals.subscribe();
        let satisfied = tokio::time::timeout(deadline, async {
            while !complete(&self.trace(trace_id)) {
                if arrivals.changed().await.is_err() {
                    return;
                }
            }
        });
        let timed_out = satisfied.await.is_err();
        TraceEvidence {
            spans: self.trace(trace_id),
            lost_batches: self.lost(),
            interrupted: self.is_interrupted(),
            heard: self.heard(),
            timed_out,
            ..TraceEvidence::default()
        }
    }

    /// The names of all processes of which any span arrived.
    fn heard(&self) -> BTreeSet<String> {
        let traces = self.traces();
        let names = traces.values().flatten();
        names
            .filter_map(|span| span.resource_text(SERVICE_NAME).map(str::to_owned))
            .collect()
    }

    fn trace(&self, trace_id: &str) -> Vec<Span> {
        self.traces().get(trace_id).cloned().unwrap_or_default()
    }

    fn traces(&self) -> MutexGuard<'_, Traces> {
        self.traces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spans(request: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for resource_spans in request.resource_spans {
        let resource = attributes(resource_spans.resource.unwrap_or_default().attributes);
        for span in resource_spans
            .scope_spans
            .into_iter()
            .flat_map(|scope| scope.spans)
        {
            spans.push(convert(span, resource.clone()));
        }
    }
    spans
}

fn convert(span: otlp::Span, resource: BTreeMap<String, Value>) -> Span {
    let failed = |status: &otlp::Status| status.code() == otlp::status::StatusCode::Error;
    Span {
        trace_id: hex::encode(&span.trace_id),
        span_id: hex::encode(&span.span_id),
        parent_span_id: hex::encode(&span.parent_span_id),
        kind: kind(span.kind()),
        is_error: span.status.as_ref().is_some_and(failed),
        name: span.name,
        start_ns: span.start_time_unix_nano,
        end_ns: span.end_time_unix_nano,
        attributes: attributes(span.attributes),
        resource,
    }
}

const fn kind(kind: otlp::span::SpanKind) -> SpanKind {
    match kind {
        otlp::span::SpanKind::Internal => SpanKind::Internal,
        otlp::span::SpanKind::Server => SpanKind::Server,
        otlp::span::SpanKind::Client => SpanKind::Client,
        _ => SpanKind::Other,
    }
}

fn attributes(pairs: Vec<KeyValue>) -> BTreeMap<String, Value> {
    pairs
        .into_iter()
        .map(|pair| (pair.key, pair.value.map_or(Value::Null, any)))
        .collect()
}

fn any(value: AnyValue) -> Value {
    match value.value {
        Some(Any::StringValue(text)) => text.into(),
        Some(Any::BoolValue(flag)) => flag.into(),
        Some(Any::IntValue(number)) => number.into(),
        Some(Any::DoubleValue(number)) => number.into(),
        Some(Any::BytesValue(bytes)) => hex::encode(bytes).into(),
        Some(Any::ArrayValue(array)) => array.values.into_iter().map(any).collect(),
        Some(Any::KvlistValue(list)) => {
            Value::Object(attributes(list.values).into_iter().collect())
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests;
