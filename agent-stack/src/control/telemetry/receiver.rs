//! The OTLP receiver of the namespace (gRPC, plaintext: pods of the stack hold no certificates).

use super::Spool;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use portproof_proto::MAX_MESSAGE_BYTES;
use prost::Message as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

/// Largest batch, in bytes: it must fit into one message of the relay with everything around it.
const MAX_BATCH_BYTES: usize = MAX_MESSAGE_BYTES - 64 * 1024;
const EXPORT_DEADLINE: Duration = Duration::from_secs(10);

/// Serves OTLP until `stop`.
///
/// # Errors
/// When the listener fails.
pub(crate) async fn serve(
    listener: TcpListener,
    spool: Arc<Spool>,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let traces =
        TraceServiceServer::new(Receiver { spool }).max_decoding_message_size(MAX_BATCH_BYTES);
    Server::builder()
        .timeout(EXPORT_DEADLINE)
        .add_service(traces)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop.cancelled_owned())
        .await
}

struct Receiver {
    spool: Arc<Spool>,
}

#[tonic::async_trait]
impl TraceService for Receiver {
    /// Takes a batch in, or says that it was rejected (OTLP partial success) when the spool is full.
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let request = request.into_inner();
        let kept = self.spool.push(Bytes::from(request.encode_to_vec()));
        Ok(Response::new(ExportTraceServiceResponse {
            partial_success: (!kept).then(|| rejected(&request)),
        }))
    }
}

fn rejected(request: &ExportTraceServiceRequest) -> ExportTracePartialSuccess {
    let scopes = request
        .resource_spans
        .iter()
        .flat_map(|resource| &resource.scope_spans);
    let spans = scopes.map(|scope| scope.spans.len()).sum::<usize>();
    tracing::warn!(spans, "telemetry dropped: the spool is full");
    ExportTracePartialSuccess {
        rejected_spans: i64::try_from(spans).unwrap_or(i64::MAX),
        error_message: "the spool is full".to_owned(),
    }
}
