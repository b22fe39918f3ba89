//! The channel to one control agent: mutual TLS 1.3 (RFC 8446) over whatever byte stream the dialler opens.
//!
//! tonic's own TLS settings cannot leave TLS 1.2 out, so the stream is secured here and handed to it.

use super::error::{CredentialsError, RpcError};
use super::pki::Credentials;
use http::Uri;
use hyper_util::rt::TokioIo;
use portproof_proto::v1::cluster_agent_client::ClusterAgentClient;
use portproof_proto::{MAX_MESSAGE_BYTES, identity, names};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto::ring, version::TLS13};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tower::service_fn;

/// The one protocol that is spoken inside (RFC 7301, RFC 9113).
const ALPN_H2: &[u8] = b"h2";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Idle port-forwards are closed by proxies on the way, so the channel keeps them busy.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// A byte stream to an agent.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// A connection attempt under way.
pub type DialFuture = Pin<Box<dyn Future<Output = io::Result<Box<dyn Connection>>> + Send>>;

/// Opens a byte stream to one agent, as often as the channel needs a new one.
pub type Dial = Arc<dyn Fn() -> DialFuture + Send + Sync>;

pub(super) type Client = ClusterAgentClient<InterceptedService<Channel, RunStamp>>;

/// Puts the run id on every call, so that an agent of another run refuses it.
#[derive(Clone)]
pub(super) struct RunStamp(MetadataValue<Ascii>);

impl Interceptor for RunStamp {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert(names::RUN_METADATA, self.0.clone());
        Ok(request)
    }
}

/// Opens the channel to the agent of `role` in run `run` and proves both identities.
///
/// # Errors
/// [`RpcError::Connect`] when there is no connection or either side refuses the other's certificate;
/// [`RpcError::Credentials`] when ours cannot be used.
pub async fn connect(
    run: &str,
    role: &str,
    credentials: &Credentials,
    dial: Dial,
) -> Result<super::AgentClient, RpcError> {
    let server = identity::server_name(run, role);
    let secure = Secure::new(credentials, server.clone())?;
    let channel = endpoint(&server)?
        .connect_with_connector(service_fn(move |_| {
            let (stream, secure) = (dial(), secure.clone());
            async move { secure.connect(stream.await?).await.map(TokioIo::new) }
        }))
        .await
        .map_err(RpcError::Connect)?;
    let client = ClusterAgentClient::with_interceptor(channel, RunStamp(run.parse()?))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    Ok(super::AgentClient::new(client))
}

/// To tonic the stream looks plain, because it is secured before tonic sees it; calls still say `https`.
fn endpoint(server: &str) -> Result<Endpoint, RpcError> {
    let authority = format!("{server}:{}", names::CONTROL_PORT);
    let origin = Uri::builder()
        .scheme("https")
        .authority(authority.as_str())
        .path_and_query("/")
        .build()?;
    let endpoint = Endpoint::from_shared(format!("http://{authority}"))
        .map_err(RpcError::Connect)?
        .origin(origin)
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true);
    Ok(endpoint)
}

/// Proves both identities on a byte stream.
#[derive(Clone)]
struct Secure {
    connector: TlsConnector,
    server: ServerName<'static>,
}

impl Secure {
    fn new(credentials: &Credentials, server: String) -> Result<Self, CredentialsError> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(
            credentials.authority.as_bytes(),
        )?)?;
        let chain = CertificateDer::pem_slice_iter(credentials.certificate.as_bytes())
            .collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(credentials.key.as_bytes())?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        config.alpn_protocols = vec![ALPN_H2.to_vec()];
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            server: ServerName::try_from(server)?,
        })
    }

    async fn connect(
        &self,
        stream: Box<dyn Connection>,
    ) -> io::Result<TlsStream<Box<dyn Connection>>> {
        let secured = self.connector.connect(self.server.clone(), stream).await?;
        if secured.get_ref().1.alpn_protocol() == Some(ALPN_H2) {
            Ok(secured)
        } else {
            Err(io::Error::other("the agent did not agree to speak HTTP/2"))
        }
    }
}
