//! The channel to one control agent: mutual TLS over whatever byte stream the dialler opens.

use super::error::RpcError;
use super::pki::Credentials;
use hyper_util::rt::TokioIo;
use portproof_proto::v1::cluster_agent_client::ClusterAgentClient;
use portproof_proto::{MAX_MESSAGE_BYTES, identity, names};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};
use tower::service_fn;

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
/// [`RpcError::Connect`] when there is no connection or either side refuses the other's certificate.
pub async fn connect(
    run: &str,
    role: &str,
    credentials: &Credentials,
    dial: Dial,
) -> Result<super::AgentClient, RpcError> {
    let server = identity::server_name(run, role);
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&credentials.authority))
        .identity(Identity::from_pem(
            &credentials.certificate,
            &credentials.key,
        ))
        .domain_name(&server);
    let channel = Endpoint::from_shared(format!("https://{server}:{}", names::CONTROL_PORT))
        .and_then(|endpoint| endpoint.tls_config(tls))
        .map_err(RpcError::Connect)?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .connect_with_connector(service_fn(move |_| {
            let stream = dial();
            async move { stream.await.map(TokioIo::new) }
        }))
        .await
        .map_err(RpcError::Connect)?;
    let client = ClusterAgentClient::with_interceptor(channel, RunStamp(run.parse()?))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    Ok(super::AgentClient::new(client))
}
