//! The OTLP receiver of the namespace (gRPC, plaintext: pods of the stack hold no certificates).
//!
//! Spans are kept for the orchestrator. Metrics are only counted: what they say stands at each part's `/metrics`, and a run
//! asks for no more; accepting them lets parts push to the same place as spans, as they would to any collector.

use super::Spool;
use crate::server::{Server, ServerError};
use crate::telemetry::{Metrics, Telemetry};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource;
use portproof_proto::MAX_MESSAGE_BYTES;
use portproof_proto::names::Part;
use portproof_proto::telemetry::SERVICE_NAME;
use prost::Message as _;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// Largest batch, in bytes: it must fit into one message of the relay with everything around it.
const MAX_BATCH_BYTES: usize = MAX_MESSAGE_BYTES - 64 * 1024;

/// Serves OTLP until `stop`, with the limits of every server of the stack.
///
/// # Errors
/// When the listener breaks.
pub(crate) async fn serve(
    listener: TcpListener,
    spool: Arc<Spool>,
    telemetry: &Telemetry,
    stop: CancellationToken,
) -> Result<(), ServerError> {
    let receiver = Receiver {
        spool,
        metrics: telemetry.metrics().clone(),
    };
    let traces =
        TraceServiceServer::new(receiver.clone()).max_decoding_message_size(MAX_BATCH_BYTES);
    let metrics = MetricsServiceServer::new(receiver).max_decoding_message_size(MAX_BATCH_BYTES);
    let routes = Routes::new(traces).add_service(metrics);
    Server::new(routes.into_axum_router())
        .observed_by(telemetry)
        .serve_on(listener, stop)
        .await
}

#[derive(Clone)]
struct Receiver {
    spool: Arc<Spool>,
    metrics: Metrics,
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
        let outcome = if kept { "kept" } else { "rejected" };
        for resource in &request.resource_spans {
            let spans = resource.scope_spans.iter().map(|scope| scope.spans.len());
            let service = service(resource.resource.as_ref());
            self.metrics
                .received("spans", service, outcome, spans.sum());
        }
        Ok(Response::new(ExportTraceServiceResponse {
            partial_success: (!kept).then(|| rejected(&request)),
        }))
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    /// Counts the data points of each part.
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        for resource in request.into_inner().resource_metrics {
            let scopes = resource.scope_metrics.iter();
            let metrics = scopes.flat_map(|scope| &scope.metrics);
            let points = metrics.map(data_points).sum();
            let service = service(resource.resource.as_ref());
            self.metrics.received("metrics", service, "counted", points);
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

/// The part that a resource names; whoever else sends here is `other`, so that nobody can invent series.
fn service(resource: Option<&Resource>) -> &'static str {
    let attributes = resource.into_iter().flat_map(|it| &it.attributes);
    let service = attributes.filter(|attribute| attribute.key == SERVICE_NAME);
    let mut names = service.filter_map(|name| match name.value.as_ref()?.value.as_ref()? {
        Value::StringValue(name) => Some(name.as_str()),
        _ => None,
    });
    let name = names.next_back().unwrap_or_default();
    Part::ALL
        .iter()
        .map(|part| part.name())
        .find(|part| *part == name)
        .unwrap_or("other")
}

fn data_points(metric: &Metric) -> usize {
    match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        Some(Data::Summary(summary)) => summary.data_points.len(),
        None => 0,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{TelemetryConfig, resource};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_a_part_counts_arrives_and_is_counted_by_part() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let own = Telemetry::disabled("control");
        let (spool, stop) = (Arc::new(Spool::default()), CancellationToken::new());
        let serving = tokio::spawn({
            let (own, spool, stop) = (own.clone(), Arc::clone(&spool), stop.clone());
            async move { serve(listener, spool, &own, stop).await }
        });
        for service in ["tool-gateway", "a-stranger"] {
            let part = Telemetry::start(TelemetryConfig {
                resource: resource(service, |_| None),
                endpoint: Some(endpoint.clone()),
            })
            .unwrap();
            part.metrics().program_ended("exited");
            part.shutdown().await;
        }
        stop.cancel();
        serving.await.unwrap().unwrap();
        let text = own.metrics().text().unwrap();
        for service in ["tool-gateway", "other"] {
            let series = format!(
                "portproof_otlp_received_total{{outcome=\"counted\",service=\"{service}\",signal=\"metrics\"}} 3"
            );
            assert!(text.contains(&series), "{series} is not in\n{text}");
        }
        assert!(!text.contains("a-stranger"), "{text}");
        assert!(spool.after(0).is_none(), "metrics are not relayed");
    }
}
