use super::*;
use crate::rpc::fake_agent::{Script, connected};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1 as otlp;
use prost::Message as _;
use std::sync::Mutex;

const TRACE: &str = "01010101010101010101010101010101";

fn batch(sequence: u64, span: u8) -> TelemetryBatch {
    let span = otlp::Span {
        trace_id: vec![1; 16],
        span_id: vec![span; 8],
        ..otlp::Span::default()
    };
    let scope = otlp::ScopeSpans {
        spans: vec![span],
        ..otlp::ScopeSpans::default()
    };
    let resource = otlp::ResourceSpans {
        scope_spans: vec![scope],
        ..otlp::ResourceSpans::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![resource],
    };
    TelemetryBatch {
        sequence,
        otlp: request.encode_to_vec(),
        ..TelemetryBatch::default()
    }
}

fn intake() -> Intake {
    Intake::new(Arc::new(SpanStore::default()))
}

#[test]
fn batches_without_a_gap_lose_nothing() {
    let mut intake = intake();
    assert_eq!(intake.take(&batch(1, 1)), 1);
    assert_eq!(intake.take(&batch(2, 2)), 2);
    assert_eq!(intake.store.lost(), 0);
}

#[test]
fn gaps_add_up() {
    let mut intake = intake();
    intake.take(&batch(2, 1));
    intake.take(&batch(5, 2));
    assert_eq!(intake.store.lost(), 3);
}

#[test]
fn what_the_agent_dropped_and_what_cannot_be_read_is_lost() {
    let mut intake = intake();
    let dropped = TelemetryBatch {
        dropped: 4,
        ..batch(1, 1)
    };
    let unreadable = TelemetryBatch {
        otlp: vec![255],
        ..dropped.clone()
    };
    intake.take(&dropped);
    intake.take(&TelemetryBatch {
        sequence: 2,
        ..unreadable
    });
    assert_eq!(intake.store.lost(), 5);
}

#[test]
fn a_batch_that_is_sent_again_after_a_broken_stream_is_no_loss() {
    let mut intake = intake();
    intake.take(&batch(1, 1));
    intake.take(&batch(2, 2));
    intake.interrupted();
    assert_eq!(intake.take(&batch(2, 2)), 2);
    assert_eq!(intake.take(&batch(3, 3)), 3);
    assert_eq!(intake.store.lost(), 0);
}

#[test]
fn an_agent_that_was_restarted_is_followed_and_its_old_spool_counts_as_lost() {
    let mut intake = intake();
    for sequence in 1..=3 {
        intake.take(&batch(sequence, 1));
    }
    intake.interrupted();
    assert_eq!(intake.take(&batch(1, 8)), 1);
    assert_eq!(intake.take(&batch(2, 9)), 2);
    assert_eq!(intake.store.lost(), 1);
}

#[test]
fn after_a_broken_stream_nothing_is_known_of_what_the_agent_held_until_the_next_batch() {
    let mut intake = intake();
    intake.take(&batch(1, 1));
    assert!(!intake.store.is_interrupted());
    intake.interrupted();
    assert!(intake.store.is_interrupted());
    // An agent that was restarted may have got this from an exporter that tried again.
    intake.take(&batch(1, 1));
    assert!(intake.store.is_interrupted());
    intake.take(&batch(2, 2));
    assert!(!intake.store.is_interrupted());
}

#[tokio::test]
async fn a_relay_whose_stream_breaks_goes_on_where_it_was() {
    let script = Script {
        telemetry: Arc::new(Mutex::new(vec![
            vec![batch(1, 1), batch(2, 2)],
            vec![batch(2, 2), batch(3, 3)],
        ])),
        ..Script::default()
    };
    let client = connected(script.clone()).await.unwrap();
    let relay = client.relay().await.unwrap();
    let minute = Duration::from_mins(1);
    let complete = |spans: &[crate::verify::evidence::Span]| spans.len() == 3;
    let evidence = relay.spans().wait_for(TRACE, minute, complete).await;
    assert_eq!((evidence.timed_out, evidence.lost_batches), (false, 0));
    let acknowledged = script.heard.lock().unwrap().acknowledged.clone();
    assert!(acknowledged.starts_with(&[0]), "{acknowledged:?}");
}
