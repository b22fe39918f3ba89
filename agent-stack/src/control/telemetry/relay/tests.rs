use super::*;
use crate::control::telemetry::serve;
use crate::telemetry::Telemetry;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// The caller's side of a relay.
struct Caller {
    acknowledge: mpsc::Sender<Result<TelemetryAck, Status>>,
    batches: mpsc::Receiver<Result<TelemetryBatch, Status>>,
    relaying: JoinHandle<Result<(), Status>>,
}

impl Caller {
    async fn connect(spool: &Arc<Spool>, acknowledged: u64) -> Self {
        let (acknowledge, acknowledgements) = mpsc::channel(8);
        let (events, batches) = Events::channel();
        let stream = ReceiverStream::new(acknowledgements);
        let relaying = tokio::spawn(relay(Arc::clone(spool), "uid-c".into(), stream, events));
        let caller = Self {
            acknowledge,
            batches,
            relaying,
        };
        caller.acknowledge(acknowledged).await;
        caller
    }

    async fn acknowledge(&self, acknowledged: u64) {
        self.acknowledge
            .send(Ok(TelemetryAck { acknowledged }))
            .await
            .unwrap();
    }

    async fn next(&mut self) -> TelemetryBatch {
        self.batches.recv().await.unwrap().unwrap()
    }

    async fn hang_up(self) {
        drop(self.acknowledge);
        self.relaying.await.unwrap().unwrap();
    }
}

fn receive(listener: TcpListener, spool: Arc<Spool>) {
    let own = Telemetry::disabled("control");
    tokio::spawn(async move { serve(listener, spool, &own, CancellationToken::new()).await });
}

#[tokio::test]
async fn what_comes_in_goes_out_at_once_and_in_order() {
    let spool = Arc::new(Spool::default());
    let mut caller = Caller::connect(&spool, 0).await;
    for text in ["a", "b"] {
        spool.push(Bytes::from_static(text.as_bytes()));
        let batch = caller.next().await;
        assert_eq!(
            (batch.otlp.as_slice(), batch.cluster_uid.as_str()),
            (text.as_bytes(), "uid-c")
        );
    }
    caller.hang_up().await;
}

#[tokio::test]
async fn what_was_not_acknowledged_is_sent_again_after_a_reconnect() {
    let spool = Arc::new(Spool::default());
    for text in [b"a", b"b", b"c"] {
        spool.push(Bytes::from_static(text));
    }
    let mut caller = Caller::connect(&spool, 0).await;
    assert_eq!(caller.next().await.sequence, 1);
    caller.acknowledge(1).await;
    caller.hang_up().await;
    let mut again = Caller::connect(&spool, 1).await;
    assert_eq!(
        (again.next().await.sequence, again.next().await.sequence),
        (2, 3)
    );
    again.hang_up().await;
}

#[tokio::test]
async fn the_caller_learns_how_much_was_dropped() {
    let spool = Arc::new(Spool::bounded(crate::control::telemetry::spool::Limits {
        bytes: 1,
        batches: 1,
    }));
    spool.push(Bytes::from_static(b"a"));
    spool.push(Bytes::from_static(b"b"));
    let mut caller = Caller::connect(&spool, 0).await;
    let batch = caller.next().await;
    assert_eq!((batch.sequence, batch.dropped), (1, 1));
}

#[tokio::test]
async fn spans_exported_over_otlp_are_relayed_unchanged() {
    let spool = Arc::new(Spool::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    receive(listener, Arc::clone(&spool));
    let span = Span {
        name: "plan".into(),
        trace_id: vec![7; 16],
        ..Span::default()
    };
    let scope = ScopeSpans {
        spans: vec![span],
        ..ScopeSpans::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![scope],
            ..ResourceSpans::default()
        }],
    };
    let mut exporter = TraceServiceClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    let answer = exporter.export(request.clone()).await.unwrap().into_inner();
    assert_eq!(answer.partial_success, None);
    let mut caller = Caller::connect(&spool, 0).await;
    let relayed = ExportTraceServiceRequest::decode(caller.next().await.otlp.as_slice()).unwrap();
    assert_eq!(relayed, request);
}

#[tokio::test]
async fn an_exporter_is_told_when_there_is_no_room() {
    let spool = Arc::new(Spool::bounded(crate::control::telemetry::spool::Limits {
        bytes: 0,
        batches: 1,
    }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    receive(listener, spool);
    let scope = ScopeSpans {
        spans: vec![Span::default(), Span::default()],
        ..ScopeSpans::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![scope],
            ..ResourceSpans::default()
        }],
    };
    let mut exporter = TraceServiceClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    let answer = exporter.export(request).await.unwrap().into_inner();
    assert_eq!(answer.partial_success.unwrap().rejected_spans, 2);
}
