//! Sends on the spans that another part handed over because it may not reach the collector itself.
//!
//! That part runs untrusted code, so what it hands over is untrusted too: only spans of the trace at hand pass, and
//! only a few of them.

use opentelemetry::trace::TraceId;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use std::time::Duration;
use tokio_util::task::TaskTracker;
use tonic::transport::{Channel, Endpoint};

/// Most spans that one answer may hand over.
pub(super) const MAX_SPANS: usize = 64;
/// Most exports under way: so many wait for a collector that is slow, and no more.
const MAX_UNDER_WAY: usize = 256;
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);

/// Why spans were not sent on.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The endpoint is not a URL.
    #[error("spans cannot be relayed to `{endpoint}`")]
    Endpoint {
        /// The endpoint.
        endpoint: String,
        /// What is wrong with it.
        #[source]
        source: tonic::transport::Error,
    },
    /// A span belongs to another trace than the call that returned it.
    #[error("a returned span belongs to another trace")]
    ForeignTrace,
    /// More than [`MAX_SPANS`].
    #[error("{count} spans were returned, at most {MAX_SPANS} are relayed")]
    TooMany {
        /// How many there were.
        count: usize,
    },
    /// The collector does not keep up.
    #[error("{MAX_UNDER_WAY} exports of returned spans are under way already")]
    Busy,
}

/// Relays spans to the collector.
#[derive(Clone, Debug)]
pub struct SpanRelay {
    client: Option<TraceServiceClient<Channel>>,
    sending: TaskTracker,
}

impl SpanRelay {
    /// A relay to the OTLP gRPC endpoint; without one spans are checked and dropped.
    ///
    /// # Errors
    /// When the endpoint is not a URL. Must run inside a Tokio runtime.
    pub fn new(endpoint: Option<&str>) -> Result<Self, RelayError> {
        let client = endpoint.map(connect).transpose()?;
        Ok(Self {
            client,
            sending: TaskTracker::new(),
        })
    }

    /// Checks the spans and sends them in the background.
    ///
    /// # Errors
    /// When they are not of `trace`, are too many, or too many others wait for the collector; then none is sent.
    pub fn forward(
        &self,
        export: ExportTraceServiceRequest,
        trace: TraceId,
    ) -> Result<(), RelayError> {
        check(&export, trace)?;
        let Some(client) = self.client.clone() else {
            return Ok(());
        };
        if self.sending.len() >= MAX_UNDER_WAY {
            return Err(RelayError::Busy);
        }
        self.sending.spawn(send(client, export));
        Ok(())
    }

    /// Waits until everything that was handed over has been sent or given up, but not for longer than `limit`: a part
    /// that ends has no time for a collector that does not answer.
    pub async fn drain(&self, limit: Duration) {
        self.sending.close();
        if tokio::time::timeout(limit, self.sending.wait())
            .await
            .is_err()
        {
            tracing::warn!(exports = self.sending.len(), "relayed spans are lost");
        }
    }
}

fn connect(endpoint: &str) -> Result<TraceServiceClient<Channel>, RelayError> {
    let channel = Endpoint::from_shared(endpoint.to_owned())
        .map_err(|source| RelayError::Endpoint {
            endpoint: endpoint.to_owned(),
            source,
        })?
        .timeout(Duration::from_secs(5))
        .connect_lazy();
    Ok(TraceServiceClient::new(channel))
}

fn check(export: &ExportTraceServiceRequest, trace: TraceId) -> Result<(), RelayError> {
    let spans = || {
        export
            .resource_spans
            .iter()
            .flat_map(|resource| &resource.scope_spans)
            .flat_map(|scope| &scope.spans)
    };
    let count = spans().count();
    if count > MAX_SPANS {
        return Err(RelayError::TooMany { count });
    }
    if spans().any(|span| span.trace_id != trace.to_bytes()) {
        return Err(RelayError::ForeignTrace);
    }
    Ok(())
}

async fn send(mut client: TraceServiceClient<Channel>, export: ExportTraceServiceRequest) {
    for attempt in 1..=ATTEMPTS {
        match client.export(export.clone()).await {
            Ok(_) => return,
            Err(error) if attempt == ATTEMPTS => {
                tracing::warn!(error = super::chain(&error), "relayed spans are lost");
            }
            Err(_) => tokio::time::sleep(PAUSE * attempt).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Capture, SpanKind, parse_traceparent, resource};

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn export(spans: usize) -> ExportTraceServiceRequest {
        let capture = Capture::new(&resource("interpreter", |_| None));
        for _ in 0..spans {
            drop(
                capture
                    .telemetry()
                    .span("x", SpanKind::Server, &parse_traceparent(PARENT)),
            );
        }
        Capture::decode(&capture.encode()).unwrap()
    }

    #[test]
    fn spans_of_another_trace_are_not_relayed() {
        let relay = SpanRelay::new(None).unwrap();
        let trace = TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap();
        relay.forward(export(1), trace).unwrap();
        let other = TraceId::from_hex("1af7651916cd43dd8448eb211c80319c").unwrap();
        assert!(matches!(
            relay.forward(export(1), other),
            Err(RelayError::ForeignTrace)
        ));
    }

    #[test]
    fn a_flood_of_spans_is_not_relayed() {
        let relay = SpanRelay::new(None).unwrap();
        let trace = TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap();
        let flood = relay.forward(export(MAX_SPANS + 1), trace);
        assert!(matches!(flood, Err(RelayError::TooMany { count }) if count == MAX_SPANS + 1));
    }

    #[tokio::test]
    async fn a_collector_that_does_not_answer_is_not_waited_for_and_holds_few_exports() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", silent.local_addr().unwrap());
        let relay = SpanRelay::new(Some(&endpoint)).unwrap();
        let trace = TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap();
        relay.forward(export(1), trace).unwrap();
        let more = (0..MAX_UNDER_WAY).map(|_| relay.forward(export(1), trace));
        let refused: Vec<_> = more.filter_map(Result::err).collect();
        assert!(matches!(refused[..], [RelayError::Busy]), "{refused:?}");
        let drained = relay.drain(Duration::from_millis(10));
        assert!(
            tokio::time::timeout(Duration::from_secs(4), drained)
                .await
                .is_ok()
        );
    }
}
