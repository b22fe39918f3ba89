//! An OTLP receiver on loopback.

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

/// A span with the service it came from.
#[derive(Clone, Debug)]
pub(crate) struct Collected {
    pub(crate) service: String,
    pub(crate) pod: String,
    pub(crate) span: Span,
}

impl Collected {
    pub(crate) fn id(&self) -> String {
        hex::encode(&self.span.span_id)
    }

    pub(crate) fn parent(&self) -> String {
        hex::encode(&self.span.parent_span_id)
    }

    pub(crate) fn trace(&self) -> String {
        hex::encode(&self.span.trace_id)
    }

    /// A text attribute.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        text(&self.span.attributes, key)
    }
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

#[derive(Clone, Default)]
struct Store(Arc<Mutex<Vec<Collected>>>);

#[tonic::async_trait]
impl TraceService for Store {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.unwrap_or_default().attributes;
            let [service, pod] = ["service.name", "k8s.pod.name"]
                .map(|key| text(&attributes, key).unwrap_or_default());
            let spans = resource
                .scope_spans
                .into_iter()
                .flat_map(|scope| scope.spans);
            let collected = spans.map(|span| Collected {
                service: service.clone(),
                pod: pod.clone(),
                span,
            });
            self.0.lock().unwrap().extend(collected);
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

pub(crate) struct Collector {
    address: SocketAddr,
    store: Store,
}

impl Collector {
    pub(crate) async fn start(shutdown: &CancellationToken) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let store = Store::default();
        let server =
            tonic::transport::Server::builder().add_service(TraceServiceServer::new(store.clone()));
        let serving = server.serve_with_incoming_shutdown(
            TcpListenerStream::new(listener),
            shutdown.clone().cancelled_owned(),
        );
        tokio::spawn(serving);
        Self { address, store }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn spans(&self) -> Vec<Collected> {
        self.store.0.lock().unwrap().clone()
    }
}
