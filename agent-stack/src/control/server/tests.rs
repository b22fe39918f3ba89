use super::*;
use crate::control::caller;
use crate::control::fake_api::FakeApi;
use crate::http_client;
use portproof_proto::names::{PART_LABEL, RUN_LABEL};
use portproof_proto::v1::cluster_agent_client::ClusterAgentClient;
use portproof_proto::{identity, names};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{
    AlertDescription, ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
};
use serde_json::json;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::Code;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

mod limits;

const RUN: &str = "r7k2m9x4";

/// A certificate authority with everything of one run.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    fn issue(&self, name: SanType, usage: ExtendedKeyUsagePurpose) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![name];
        params.extended_key_usages = vec![usage];
        (
            params.signed_by(&key, &self.issuer).unwrap().pem(),
            key.serialize_pem(),
        )
    }

    fn server(&self) -> Certificates {
        let name = SanType::DnsName(identity::server_name(RUN, "a").try_into().unwrap());
        let (chain, key) = self.issue(name, ExtendedKeyUsagePurpose::ServerAuth);
        Certificates {
            authority: self.pem.clone().into(),
            chain: chain.into(),
            key: key.into(),
        }
    }

    fn client(&self, uri: &str) -> Identity {
        let (chain, key) = self.client_pem(uri);
        Identity::from_pem(chain, key)
    }

    fn client_pem(&self, uri: &str) -> (String, String) {
        let name = SanType::URI(uri.try_into().unwrap());
        self.issue(name, ExtendedKeyUsagePurpose::ClientAuth)
    }
}

fn home() -> Home {
    Home {
        run_id: RUN.into(),
        role: "a".into(),
        namespace: "portproof-r7k2m9x4".into(),
        cluster_uid: "uid-c".into(),
    }
}

/// An agent on loopback with certificates of `authority`.
async fn agent(authority: &Authority) -> SocketAddr {
    agent_over(authority, &FakeApi::default()).await
}

async fn agent_over(authority: &Authority, api: &FakeApi) -> SocketAddr {
    agent_within(Limits::default(), authority, api).await
}

async fn agent_within(limits: Limits, authority: &Authority, api: &FakeApi) -> SocketAddr {
    http_client::install_crypto();
    api.put("/version", json!({"gitVersion": "v1.36.3", "metadata": {}}));
    let agent = Agent::new(
        home(),
        api.server(),
        Peers::new().unwrap(),
        Arc::new(Spool::default()),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let certificates = authority.server();
    let stop = CancellationToken::new();
    tokio::spawn(async move { serve(listener, agent, &certificates, limits, stop).await });
    address
}

fn trusting(authority: &Authority) -> ClientTlsConfig {
    ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&authority.pem))
        .domain_name(identity::server_name(RUN, "a"))
}

fn channel(address: SocketAddr, tls: ClientTlsConfig) -> Channel {
    Endpoint::from_shared(format!("https://{address}"))
        .unwrap()
        .tls_config(tls)
        .unwrap()
        .connect_lazy()
}

async fn describe_as(
    channel: Channel,
    run: Option<&'static str>,
) -> Result<DescribeResponse, Status> {
    let mut request = Request::new(DescribeRequest {});
    if let Some(run) = run {
        request
            .metadata_mut()
            .insert(names::RUN_METADATA, run.parse().unwrap());
    }
    let client = &mut ClusterAgentClient::new(channel);
    client.describe(request).await.map(Response::into_inner)
}

#[tokio::test]
async fn the_orchestrator_of_the_run_is_admitted() {
    let authority = Authority::new();
    let api = FakeApi::default();
    let address = agent_over(&authority, &api).await;
    let tls = trusting(&authority).identity(authority.client(&identity::client_uri(RUN)));
    let answer = describe_as(channel(address, tls), Some(RUN)).await.unwrap();
    assert_ne!(
        api.requests(),
        0,
        "so a call that reaches a handler is seen"
    );
    assert_eq!((answer.run_id.as_str(), answer.role.as_str()), (RUN, "a"));
    assert_eq!(answer.kubernetes_version, "v1.36.3");
}

#[tokio::test]
async fn the_pods_of_the_parts_are_told_with_their_restarts_and_those_of_others_are_not() {
    let authority = Authority::new();
    let api = FakeApi::default();
    let put = |name: &str, labels: serde_json::Value| {
        let pod = json!({"metadata": {"name": name, "labels": labels},
            "status": {"containerStatuses": [{"restartCount": 2}, {"restartCount": 1}]}});
        api.put(
            &format!("/api/v1/namespaces/{}/pods/{name}", home().namespace),
            pod,
        );
    };
    put("agent-1", json!({RUN_LABEL: RUN, PART_LABEL: "agent"}));
    put("proxy-1", json!({RUN_LABEL: RUN}));
    put(
        "agent-2",
        json!({RUN_LABEL: "another", PART_LABEL: "agent"}),
    );
    let address = agent_over(&authority, &api).await;
    let tls = trusting(&authority).identity(authority.client(&identity::client_uri(RUN)));
    let answer = describe_as(channel(address, tls), Some(RUN)).await.unwrap();
    let [pod] = answer.pods.as_slice() else {
        panic!("{:?}", answer.pods)
    };
    assert_eq!((pod.part.as_str(), pod.restarts), ("agent", 3));
    assert!(pod.uid.starts_with("uid-"), "{}", pod.uid);
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let tls = trusting(&authority).identity(other.client(&identity::client_uri(RUN)));
    assert_no_connection(&authority, Some(tls)).await;
}

#[tokio::test]
async fn a_caller_without_a_certificate_is_refused() {
    let authority = Authority::new();
    assert_no_connection(&authority, Some(trusting(&authority))).await;
}

#[tokio::test]
async fn plaintext_is_refused() {
    assert_no_connection(&Authority::new(), None).await;
}

/// The orchestrator of the run, in every respect but the versions of TLS it speaks.
async fn shake_hands(
    authority: &Authority,
    address: SocketAddr,
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<TlsStream<TcpStream>> {
    let (chain, key) = authority.client_pem(&identity::client_uri(RUN));
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder_with_protocol_versions(versions)
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from(identity::server_name(RUN, "a")).unwrap();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

#[tokio::test]
async fn a_caller_that_only_speaks_tls_1_2_is_refused() {
    let authority = Authority::new();
    let api = FakeApi::default();
    let address = agent_over(&authority, &api).await;
    let refused = shake_hands(&authority, address, &[&TLS12]).await;
    let error = refused.unwrap_err().into_inner().unwrap();
    assert_eq!(
        error.downcast_ref::<rustls::Error>(),
        Some(&rustls::Error::AlertReceived(
            AlertDescription::ProtocolVersion
        ))
    );
    assert_eq!(api.requests(), 0);
    let both = shake_hands(&authority, address, &[&TLS12, &TLS13]).await;
    assert_eq!(
        both.unwrap().get_ref().1.protocol_version(),
        Some(ProtocolVersion::TLSv1_3)
    );
}

#[test]
fn certificates_that_are_none_are_told_by_their_part() {
    let authority = Authority::new();
    let whole = authority.server();
    let broken = |change: fn(&mut Certificates)| {
        let mut certificates = authority.server();
        change(&mut certificates);
        certificates.acceptor().err().unwrap().to_string()
    };
    assert!(whole.acceptor().is_ok());
    assert_eq!(
        broken(|it| it.key = b"no key".to_vec()),
        "the key is not PEM"
    );
    assert_eq!(
        broken(|it| it.authority = Vec::new()),
        "the authority of the run cannot vouch for anybody"
    );
    assert_eq!(
        broken(|it| it.chain = Vec::new()),
        "the certificates of the run cannot be served with"
    );
}

/// The connection itself fails, and no handler ever sees the call.
async fn assert_no_connection(authority: &Authority, tls: Option<ClientTlsConfig>) {
    let api = FakeApi::default();
    let address = agent_over(authority, &api).await;
    let channel = match tls {
        Some(tls) => channel(address, tls),
        None => Endpoint::from_shared(format!("http://{address}"))
            .unwrap()
            .connect_lazy(),
    };
    let status = describe_as(channel, Some(RUN)).await.unwrap_err();
    let broken = [
        Code::Unavailable,
        Code::Unknown,
        Code::Internal,
        Code::Cancelled,
    ];
    assert!(broken.contains(&status.code()), "{status:?}");
    assert_eq!(api.requests(), 0);
}

#[tokio::test]
async fn a_certificate_of_another_run_is_refused_even_from_the_right_authority() {
    let authority = Authority::new();
    let address = agent(&authority).await;
    let tls = trusting(&authority).identity(authority.client(&identity::client_uri("another")));
    let status = describe_as(channel(address, tls), Some(RUN))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(status.message(), caller::Refusal::OtherIdentity.to_string());
}

#[tokio::test]
async fn a_call_for_another_run_is_refused() {
    let authority = Authority::new();
    let address = agent(&authority).await;
    let tls = trusting(&authority).identity(authority.client(&identity::client_uri(RUN)));
    let status = describe_as(channel(address, tls), Some("another"))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(status.message(), caller::Refusal::OtherRun.to_string());
}

#[tokio::test]
async fn a_call_that_names_no_run_is_refused() {
    let authority = Authority::new();
    let address = agent(&authority).await;
    let tls = trusting(&authority).identity(authority.client(&identity::client_uri(RUN)));
    let status = describe_as(channel(address, tls), None).await.unwrap_err();
    assert_eq!(status.message(), caller::Refusal::NoRun.to_string());
}

#[tokio::test]
async fn the_health_service_is_behind_the_same_door() {
    let authority = Authority::new();
    let address = agent(&authority).await;
    let tls = trusting(&authority).identity(authority.client(&identity::client_uri("another")));
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel(address, tls));
    let request = tonic_health::pb::HealthCheckRequest {
        service: String::new(),
    };
    assert_eq!(
        health.check(request).await.unwrap_err().code(),
        Code::PermissionDenied
    );
}
