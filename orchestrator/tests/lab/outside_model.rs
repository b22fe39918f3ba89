//! A company's own: clusters that are there already and on which one has exactly the rights that are printed, and a model
//! server outside of both, with HTTPS, an authority of its own, and a key.

use crate::granted::{Granted, with_printed_rights};
use crate::scenarios::{Ran, program, repository};
use crate::stack_image;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum_server::tls_rustls::RustlsConfig;
use kube::config::Kubeconfig;
use portproof::lab::addons::gateway;
use portproof::lab::paths::LabPaths;
use portproof::lab::spec::GatewayKind;
use portproof::verify::Role;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const KEY: &str = "sk-that-nobody-may-see";
const MODEL: &str = "outside-7b";

/// Counts who asks, and passes on what comes with the key.
#[derive(Clone)]
struct Door {
    client: reqwest::Client,
    model: SocketAddr,
    let_in: Arc<AtomicU32>,
    turned_away: Arc<AtomicU32>,
}

impl Door {
    async fn pass(self, request: Request) -> Response {
        let key = request.headers().get(header::AUTHORIZATION);
        if key.is_none_or(|sent| sent != &format!("Bearer {KEY}")) {
            self.turned_away.fetch_add(1, Ordering::SeqCst);
            return StatusCode::UNAUTHORIZED.into_response();
        }
        self.let_in.fetch_add(1, Ordering::SeqCst);
        let url = format!("http://{}{}", self.model, request.uri());
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let kind = head.headers.get(header::CONTENT_TYPE).cloned();
        let mut sent = self.client.request(head.method, url).body(body);
        if let Some(kind) = kind {
            sent = sent.header(header::CONTENT_TYPE, kind);
        }
        let answer = sent.send().await.unwrap();
        let mut response = Response::new(Body::empty());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        *response.body_mut() = Body::from(answer.bytes().await.unwrap());
        response
    }
}

/// The reference model as a process on this machine; ends with the test.
struct Model(Child);

impl Model {
    async fn start(client: &reqwest::Client) -> (Self, SocketAddr) {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let process = Command::new(program().with_file_name("agent-stack"))
            .args([
                "model",
                "--name",
                MODEL,
                "--port",
                &address.port().to_string(),
            ])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let model = Self(process);
        let health = format!("http://{address}/healthz");
        while client.get(&health).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        (model, address)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The address at which the lab's nodes reach this machine: the one it speaks to them from.
fn own_address() -> IpAddr {
    let file = LabPaths::from_environment().kubeconfig(&Role::new("a").unwrap());
    let kubeconfig = Kubeconfig::read_from(file).unwrap();
    let cluster = kubeconfig.clusters[0].cluster.as_ref().unwrap();
    let server = cluster
        .server
        .as_ref()
        .unwrap()
        .parse::<reqwest::Url>()
        .unwrap();
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    // Nothing is sent.
    socket.connect((server.host_str().unwrap(), 9)).unwrap();
    socket.local_addr().unwrap().ip()
}

/// Certificate and key of a server at `address`, and the authority that vouches for it, as PEM.
fn certified(address: IpAddr) -> (ServerConfig, String) {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(vec![address.to_string()]).unwrap();
    let certificate = parameters.signed_by(&key, &authority).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    (config, authority.pem())
}

/// Opens the door where the nodes of the lab reach this machine and nobody else does; gives back its URL.
fn open(door: Door, address: IpAddr, config: ServerConfig) -> String {
    let listener = TcpListener::bind((address, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("https://{}/v1", listener.local_addr().unwrap());
    let pass = |State(door): State<Door>, request| door.pass(request);
    let router = Router::new().fallback(pass).with_state(door);
    let tls = RustlsConfig::from_config(Arc::new(config));
    let served = axum_server::from_tcp_rustls(listener, tls).unwrap();
    tokio::spawn(served.serve(router.into_make_service()));
    url
}

/// The rehearsal with this model server, up to the canary: what comes after it asks no model.
fn scenario(directory: &Path, url: &str, granted: &Granted) -> PathBuf {
    let shipped = repository().join("scenarios");
    let text = std::fs::read_to_string(shipped.join("level2/rehearsal.yaml")).unwrap();
    let fixtures = shipped.join("fixtures");
    let (text, _) = text.split_once("    - id: rollback\n").unwrap();
    let sandbox = "    sandbox: {runtimeClass: gvisor}\n";
    assert!(text.contains(sandbox));
    let model = format!(
        "    model: {{upstream: '{url}', name: {MODEL}, key: {{file: key}}, authorities: ca.pem}}\n"
    );
    let mut text = text
        .replace("../fixtures", fixtures.to_str().unwrap())
        .replace(sandbox, &format!("{sandbox}{model}"));
    let lab = ["{lab: {gateway: traefik}}", "{lab: {gateway: envoy}}"];
    for (lab, existing) in lab.into_iter().zip(&granted.clusters) {
        assert!(text.contains(lab));
        text = text.replace(lab, existing);
    }
    let file = directory.join("outside.yaml");
    std::fs::write(&file, &text).unwrap();
    file
}

fn holds_the_key(directory: &Path) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds_the_key(&path);
        }
        let text = std::fs::read(&path).unwrap();
        text.windows(KEY.len())
            .any(|window| window == KEY.as_bytes())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the lab"]
async fn a_stack_moves_with_a_model_elsewhere_and_with_the_printed_rights_and_the_key_shows_nowhere()
 {
    let _ = ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (_model, model) = Model::start(&client).await;
    let door = Door {
        client,
        model,
        let_in: Arc::default(),
        turned_away: Arc::default(),
    };
    let address = own_address();
    let (config, authority) = certified(address);
    let url = open(door.clone(), address, config);
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("key"), format!("{KEY}\n")).unwrap();
    std::fs::write(directory.path().join("ca.pem"), authority).unwrap();
    let runs = tempfile::tempdir().unwrap();
    let kept = runs.path().to_owned();
    let image = stack_image().await;
    let classes = [GatewayKind::Traefik, GatewayKind::Envoy].map(gateway::class);
    let ran = with_printed_rights(directory.path(), classes, async |granted| {
        let file = scenario(directory.path(), &url, &granted);
        let run = move || Ran::in_directory(&file, &kept, &["--image", &image]);
        tokio::task::spawn_blocking(run).await.unwrap()
    });
    ran.await.passed(8);
    assert!(door.let_in.load(Ordering::SeqCst) > 0);
    assert_eq!(door.turned_away.load(Ordering::SeqCst), 0);
    assert!(!holds_the_key(runs.path()));
}
