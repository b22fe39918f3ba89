use super::*;
use opentelemetry_proto::tonic::resource::v1::Resource;
use std::sync::Arc;

fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue {
            value: Some(Any::StringValue(value.into())),
        }),
        ..KeyValue::default()
    }
}

fn batch(trace: u8, span: u8, parent: u8) -> Vec<u8> {
    let span = otlp::Span {
        trace_id: vec![trace; 16],
        span_id: vec![span; 8],
        parent_span_id: vec![parent; 8],
        name: "plan".into(),
        kind: otlp::span::SpanKind::Internal as i32,
        attributes: vec![pair("gen_ai.operation.name", "plan")],
        ..otlp::Span::default()
    };
    let scope = otlp::ScopeSpans {
        spans: vec![span],
        ..otlp::ScopeSpans::default()
    };
    let resource = Resource {
        attributes: vec![pair("service.name", "agent")],
        ..Resource::default()
    };
    let resource_spans = otlp::ResourceSpans {
        resource: Some(resource),
        scope_spans: vec![scope],
        ..otlp::ResourceSpans::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![resource_spans],
    }
    .encode_to_vec()
}

#[tokio::test]
async fn a_span_keeps_its_ids_kind_and_attributes() {
    let store = SpanStore::default();
    store.ingest(&batch(1, 2, 3)).unwrap();
    let evidence = store
        .wait_for(&"01".repeat(16), Duration::ZERO, |_| true)
        .await;
    let span = &evidence.spans[0];
    assert_eq!(
        (span.span_id.as_str(), span.parent_span_id.as_str()),
        ("0202020202020202", "0303030303030303")
    );
    assert_eq!(
        (span.kind, span.text("gen_ai.operation.name")),
        (SpanKind::Internal, Some("plan"))
    );
    assert_eq!(span.resource_text("service.name"), Some("agent"));
}

#[tokio::test]
async fn a_span_that_is_delivered_twice_counts_once() {
    let store = SpanStore::default();
    for _ in 0..2 {
        store.ingest(&batch(1, 2, 3)).unwrap();
    }
    assert_eq!(
        store
            .wait_for(&"01".repeat(16), Duration::ZERO, |_| true)
            .await
            .spans
            .len(),
        1
    );
}

#[tokio::test]
async fn waiting_ends_with_the_span_that_completes_the_trace() {
    let store = Arc::new(SpanStore::default());
    let sender = Arc::clone(&store);
    let trace = "01".repeat(16);
    let ((), evidence) = tokio::join!(
        async move {
            for span in 1..=3 {
                tokio::task::yield_now().await;
                sender.ingest(&batch(1, span, 0)).unwrap();
            }
        },
        store.wait_for(&trace, Duration::from_mins(1), |spans| spans.len() == 3)
    );
    assert!(!evidence.timed_out);
    assert_eq!(evidence.spans.len(), 3);
}

#[tokio::test]
async fn a_trace_that_never_completes_is_given_back_as_timed_out() {
    let store = SpanStore::default();
    store.ingest(&batch(1, 2, 3)).unwrap();
    store.note_lost(4);
    let evidence = store
        .wait_for(&"01".repeat(16), Duration::ZERO, |spans| spans.len() == 2)
        .await;
    assert!(evidence.timed_out);
    assert_eq!((evidence.spans.len(), evidence.lost_batches), (1, 4));
}

#[tokio::test]
async fn whoever_sent_a_span_of_any_trace_was_heard() {
    let store = SpanStore::default();
    store.ingest(&batch(1, 2, 3)).unwrap();
    let evidence = store
        .wait_for(&"09".repeat(16), Duration::ZERO, |_| true)
        .await;
    assert!(evidence.spans.is_empty());
    assert_eq!(evidence.heard, BTreeSet::from(["agent".to_owned()]));
}

#[test]
fn bytes_that_are_no_export_are_refused() {
    assert!(SpanStore::default().ingest(b"\xff\xff\xff").is_err());
}
