//! A control agent of a few lines behind the real TLS, for tests of the calling side.

use super::channel::{Dial, connect};
use super::pki::{Credentials, RunAuthority};
use super::{AgentClient, RpcError};
use futures::{Stream, StreamExt as _};
use portproof_proto::v1::cluster_agent_server::{ClusterAgent, ClusterAgentServer};
use portproof_proto::{names, v1};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, crypto::ring};
use std::future::ready;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
type Answered<T> = Result<Response<Answers<T>>, Status>;

/// What the agent answers; calls that a test does not script are refused.
#[derive(Clone, Default)]
pub(crate) struct Script {
    /// `None` is a refusal.
    pub(crate) teardown: Option<Vec<v1::TeardownEvent>>,
    /// The teardown never ends.
    pub(crate) teardown_hangs: bool,
    pub(crate) export: Vec<Vec<u8>>,
    pub(crate) task: Vec<v1::task_event::Event>,
    /// One list of batches for each time the relay is opened; the stream breaks after each list but the last.
    pub(crate) telemetry: Arc<Mutex<Vec<Vec<v1::TelemetryBatch>>>>,
    pub(crate) heard: Arc<Mutex<Heard>>,
}

/// What the agent was asked.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) runs: Vec<String>,
    pub(crate) imports: Vec<v1::ImportRequest>,
    pub(crate) acknowledged: Vec<u64>,
}

#[expect(clippy::unnecessary_wraps, reason = "what the trait's methods return")]
fn list<T: Send + 'static>(items: Vec<Result<T, Status>>) -> Answered<T> {
    Ok(Response::new(Box::pin(tokio_stream::iter(items))))
}

#[tonic::async_trait]
impl ClusterAgent for Script {
    type ProvisionStream = Answers<v1::ProvisionEvent>;
    type TeardownStream = Answers<v1::TeardownEvent>;
    type ExportStream = Answers<v1::BundleChunk>;
    type ImportStream = Answers<v1::ImportEvent>;
    type RunTaskStream = Answers<v1::TaskEvent>;
    type DriveTrafficStream = Answers<v1::TrafficEvent>;
    type RelayTelemetryStream = Answers<v1::TelemetryBatch>;

    async fn describe(
        &self,
        request: Request<v1::DescribeRequest>,
    ) -> Result<Response<v1::DescribeResponse>, Status> {
        let run = request.metadata().get(names::RUN_METADATA).unwrap();
        let run = run.to_str().unwrap().to_owned();
        self.heard.lock().unwrap().runs.push(run.clone());
        Ok(Response::new(v1::DescribeResponse {
            run_id: run,
            role: "a".into(),
            pods: vec![v1::PartPod {
                part: "agent".into(),
                uid: "u1".into(),
                restarts: 1,
            }],
            ..v1::DescribeResponse::default()
        }))
    }

    async fn provision(&self, _: Request<v1::ProvisionRequest>) -> Answered<v1::ProvisionEvent> {
        Err(Status::failed_precondition("no GatewayClass `x`"))
    }

    async fn teardown(&self, _: Request<v1::TeardownRequest>) -> Answered<v1::TeardownEvent> {
        let Some(events) = self.teardown.clone() else {
            return Err(Status::unimplemented("not scripted"));
        };
        let events = tokio_stream::iter(events.into_iter().map(Ok));
        Ok(Response::new(if self.teardown_hangs {
            Box::pin(events.chain(tokio_stream::pending()))
        } else {
            Box::pin(events)
        }))
    }

    async fn export(&self, _: Request<v1::ExportRequest>) -> Answered<v1::BundleChunk> {
        let chunks = self.export.iter();
        list(
            chunks
                .map(|data| Ok(v1::BundleChunk { data: data.clone() }))
                .collect(),
        )
    }

    async fn import(
        &self,
        request: Request<Streaming<v1::ImportRequest>>,
    ) -> Answered<v1::ImportEvent> {
        let parts: Vec<_> = request.into_inner().map(Result::unwrap).collect().await;
        self.heard.lock().unwrap().imports = parts;
        let summary = v1::import_event::Event::Summary(v1::ImportSummary::default());
        list(vec![Ok(v1::ImportEvent {
            event: Some(summary),
        })])
    }

    async fn run_task(&self, _: Request<v1::RunTaskRequest>) -> Answered<v1::TaskEvent> {
        let events = self.task.iter().cloned();
        list(
            events
                .map(|event| {
                    Ok(v1::TaskEvent {
                        event: Some(event),
                        ..v1::TaskEvent::default()
                    })
                })
                .collect(),
        )
    }

    async fn set_traffic_split(
        &self,
        _: Request<v1::SetTrafficSplitRequest>,
    ) -> Result<Response<v1::SetTrafficSplitResponse>, Status> {
        Err(Status::unimplemented("not scripted"))
    }

    async fn drive_traffic(
        &self,
        _: Request<v1::DriveTrafficRequest>,
    ) -> Answered<v1::TrafficEvent> {
        Err(Status::unimplemented("not scripted"))
    }

    async fn probe(
        &self,
        _: Request<v1::ProbeRequest>,
    ) -> Result<Response<v1::ProbeResponse>, Status> {
        Err(Status::unimplemented("not scripted"))
    }

    async fn relay_telemetry(
        &self,
        request: Request<Streaming<v1::TelemetryAck>>,
    ) -> Answered<v1::TelemetryBatch> {
        let heard = Arc::clone(&self.heard);
        let mut acks = request.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(ack)) = acks.message().await {
                heard.lock().unwrap().acknowledged.push(ack.acknowledged);
            }
        });
        let mut lists = self.telemetry.lock().unwrap();
        let batches = if lists.is_empty() {
            Vec::new()
        } else {
            lists.remove(0)
        };
        let sent = tokio_stream::iter(batches.into_iter().map(Ok));
        let last = lists.is_empty();
        Ok(Response::new(if last {
            Box::pin(sent.chain(tokio_stream::pending()))
        } else {
            Box::pin(sent)
        }))
    }
}

/// An agent that serves over in-memory streams.
pub(super) struct FakeAgent {
    streams: mpsc::UnboundedSender<io::Result<DuplexStream>>,
    pub(crate) dialled: Arc<AtomicUsize>,
}

impl FakeAgent {
    /// Serves `script` with the certificates given, to callers of TLS 1.2 as well as 1.3.
    pub(super) fn secure(script: Script, credentials: &Credentials) -> Self {
        Self::speaking(&[&TLS12, &TLS13], script, credentials)
    }

    /// Serves `script` with the certificates given, in these versions of TLS.
    pub(super) fn speaking(
        versions: &[&'static SupportedProtocolVersion],
        script: Script,
        credentials: &Credentials,
    ) -> Self {
        let acceptor = acceptor(versions, credentials);
        let (streams, incoming) = mpsc::unbounded_channel::<io::Result<DuplexStream>>();
        let secured = UnboundedReceiverStream::new(incoming)
            .then(move |stream| accept(acceptor.clone(), stream))
            .filter_map(|secured| ready(secured.ok().map(Ok::<_, io::Error>)));
        let router = Server::builder().add_service(ClusterAgentServer::new(script));
        tokio::spawn(router.serve_with_incoming(Box::pin(secured)));
        Self::over(streams)
    }

    /// Serves `script` without TLS.
    pub(super) fn plain(script: Script) -> Self {
        let (streams, incoming) = mpsc::unbounded_channel();
        let incoming = UnboundedReceiverStream::new(incoming);
        let router = Server::builder().add_service(ClusterAgentServer::new(script));
        tokio::spawn(router.serve_with_incoming(incoming));
        Self::over(streams)
    }

    fn over(streams: mpsc::UnboundedSender<io::Result<DuplexStream>>) -> Self {
        Self {
            streams,
            dialled: Arc::default(),
        }
    }

    /// Opens a new in-memory stream each time.
    pub(super) fn dial(&self) -> Dial {
        let (streams, dialled) = (self.streams.clone(), Arc::clone(&self.dialled));
        Arc::new(move || {
            let (near, far) = tokio::io::duplex(64 * 1024);
            dialled.fetch_add(1, Ordering::SeqCst);
            streams.send(Ok(far)).unwrap();
            Box::pin(async move { Ok(Box::new(near) as Box<dyn super::Connection>) })
        })
    }
}

fn acceptor(
    versions: &[&'static SupportedProtocolVersion],
    credentials: &Credentials,
) -> TlsAcceptor {
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&credentials.authority)).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider))
        .build()
        .unwrap();
    let key = PrivateKeyDer::from_pem_slice(credentials.key.as_bytes()).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![certificate(&credentials.certificate)], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn accept(
    acceptor: TlsAcceptor,
    stream: io::Result<DuplexStream>,
) -> io::Result<TlsStream<DuplexStream>> {
    acceptor.accept(stream?).await
}

/// A client of run `r1` and the agent of role `a` it trusts.
pub(crate) async fn connected(script: Script) -> Result<AgentClient, RpcError> {
    let authority = RunAuthority::new("r1").unwrap();
    let agent = FakeAgent::secure(script, &authority.server("a").unwrap());
    connect("r1", "a", &authority.client().unwrap(), agent.dial()).await
}
