//! A model server outside the stack that speaks HTTPS: believed on the word of the authorities that are named, and of no others.

use crate::part::{Part, client};
use crate::upstream::{MODEL, key_file, keyed};
use agent_stack::http_client::install_crypto;
use axum::Router;
use axum_server::tls_rustls::RustlsConfig;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::Arc;
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

fn pem_file(authority: &Authority) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    file
}

/// Serves `router` as `localhost`, which `authority` vouches for, and gives back its URL.
fn serve(router: Router, authority: &Authority, shutdown: &CancellationToken) -> String {
    install_crypto();
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = parameters.signed_by(&key, authority).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let tcp = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    tcp.set_nonblocking(true).unwrap();
    let url = format!("https://localhost:{}", tcp.local_addr().unwrap().port());
    let tls = RustlsConfig::from_config(Arc::new(config));
    let served = axum_server::from_tcp_rustls(tcp, tls).unwrap();
    let service = router.into_make_service();
    let served = shutdown
        .clone()
        .run_until_cancelled_owned(served.serve(service));
    tokio::spawn(served);
    url
}

/// What a model server answers that relays to `upstream`, with what it wrote to its log.
async fn relayed(upstream: &str, authorities: Option<&NamedTempFile>) -> (u16, Value, String) {
    let key = key_file();
    let mut arguments = vec!["model", "--name", "front", "--upstream", upstream];
    arguments.extend(["--upstream-key-file", key.path().to_str().unwrap()]);
    if let Some(file) = authorities {
        arguments.extend(["--upstream-ca-file", file.path().to_str().unwrap()]);
    }
    let part = Part::start(&arguments, &[("RUST_LOG", "info")]).await;
    let body = json!({"model": MODEL, "messages": [{"role": "user", "content": "What?"}]});
    let url = format!("http://{}/v1/chat/completions", part.address);
    let answer = client().post(url).json(&body).send().await.unwrap();
    let status = answer.status().as_u16();
    let answer = answer.json().await.unwrap();
    part.terminate();
    let (_, log) = part.end().await;
    (status, answer, json!(log).to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_with_https_is_believed_on_the_word_of_the_authorities_in_the_file() {
    let (authority, shutdown) = (authority(), CancellationToken::new());
    let upstream = serve(keyed(), &authority, &shutdown);
    let (status, answer, _) = relayed(&upstream, Some(&pem_file(&authority))).await;
    assert_eq!((status, &answer["model"]), (200, &json!(MODEL)), "{answer}");
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_no_known_authority_vouches_for_gets_no_request_and_the_log_says_why() {
    let (its_own, shutdown) = (authority(), CancellationToken::new());
    let upstream = serve(keyed(), &its_own, &shutdown);
    let another = pem_file(&authority());
    for authorities in [None, Some(&another)] {
        let (status, answer, log) = relayed(&upstream, authorities).await;
        assert_eq!(status, 502, "{answer}");
        assert_eq!(answer["error"]["code"], "upstream_unavailable");
        assert!(log.contains("invalid peer certificate"), "{log}");
    }
    shutdown.cancel();
}
