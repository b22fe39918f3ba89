//! The server on loopback, against clients that misbehave.

mod drain;
mod hostile;

use super::*;
use crate::server::health::{always_ready, with_health};
use axum::body::Body;
use axum::http::Request;
use axum::routing::{get, post};
use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Longer than anything here takes; who waits for this long waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where requests to `/gate` wait.
#[derive(Clone)]
struct Gate {
    /// One permit for each request that has come.
    arrived: Arc<Semaphore>,
    /// A permit lets one request through.
    open: Arc<Semaphore>,
}

impl Gate {
    fn closed() -> Self {
        Self {
            arrived: Arc::new(Semaphore::new(0)),
            open: Arc::new(Semaphore::new(0)),
        }
    }

    /// Waits until one more request has come.
    async fn is_reached(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    fn let_one_through(&self) {
        self.open.add_permits(1);
    }

    async fn pass(self) -> &'static str {
        self.arrived.add_permits(1);
        self.open.acquire().await.unwrap().forget();
        "through"
    }
}

/// A server and what a test does with it.
struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    gate: Gate,
    served: JoinHandle<Result<(), ServerError>>,
}

impl Running {
    async fn start(limits: Limits, grace: Grace) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let gate = Gate::closed();
        let limited = Server::new(router(gate.clone()))
            .with_limits(limits)
            .with_grace(grace);
        let served = tokio::spawn(limited.serve_on(listener, shutdown.clone()));
        Self {
            address,
            shutdown,
            gate,
            served,
        }
    }

    async fn with_limits(limits: Limits) -> Self {
        Self::start(limits, Grace::default()).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn client(&self) -> Client {
        Client::connect(self.address).await.unwrap()
    }

    /// Waits until the server has ended as it should.
    async fn ends(self) {
        let ended = tokio::time::timeout(PATIENCE, self.served).await;
        ended.unwrap().unwrap().unwrap();
    }

    /// Waits until a request of a client of its own has come to the gate.
    async fn at_the_gate(&self) -> JoinHandle<hyper::Result<(u16, bool)>> {
        let mut client = self.client().await;
        let asked = tokio::spawn(async move { client.get("/gate").await });
        self.gate.is_reached().await;
        asked
    }

    /// Whoever else misbehaves: a client of its own is served.
    async fn assert_serves(&self) {
        let (status, _) = self.client().await.get("/").await.unwrap();
        assert_eq!(status, 200);
    }
}

fn router(gate: Gate) -> Router {
    let router = Router::new()
        .route("/", get(async || "here"))
        .route("/echo", post(async |body: Bytes| body))
        .route("/gate", get(move || gate.clone().pass()))
        .route("/slow", get(async || slow_stream()));
    with_health(router, always_ready())
}

/// Ten lines, one every 60 ms.
fn slow_stream() -> Body {
    Body::from_stream(stream::unfold(0, |line| async move {
        (line < 10).then_some(())?;
        tokio::time::sleep(Duration::from_millis(60)).await;
        Some((Ok::<_, Infallible>(format!("line {line}\n")), line + 1))
    }))
}

/// A client that keeps its one connection.
struct Client(SendRequest<Empty<Bytes>>);

impl Client {
    async fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    async fn send(&mut self, path: &str) -> hyper::Result<http::Response<hyper::body::Incoming>> {
        self.0.ready().await?;
        let request = Request::get(path).header("host", "x").body(Empty::new());
        self.0.send_request(request.unwrap()).await
    }

    /// Status, and whether the server ends the connection.
    async fn get(&mut self, path: &str) -> hyper::Result<(u16, bool)> {
        let answer = self.send(path).await?;
        let closes = answer
            .headers()
            .get("connection")
            .is_some_and(|it| it == "close");
        let status = answer.status().as_u16();
        answer.into_body().collect().await?;
        Ok((status, closes))
    }
}

/// Everything the server sends until it closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A reset is an end too.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut text))
        .await
        .unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_server_ends_when_it_is_told_to() {
    let running = Running::with_limits(Limits::default()).await;
    running.shutdown.cancel();
    running.ends().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_that_names_it() {
    let taken = listen(0).await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = serve(port, Router::new(), CancellationToken::new())
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on port {port}"));
}

#[tokio::test]
async fn every_part_shows_what_it_counts() {
    let running = Running::with_limits(Limits::default()).await;
    let mut client = running.client().await;
    client.get("/").await.unwrap();
    client.get("/readyz").await.unwrap();
    let answer = client.send("/metrics").await.unwrap();
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(text.into()).unwrap();
    let counted = "http_server_request_duration_seconds_count{http_request_method=\"GET\",\
                   http_response_status_code=\"200\",http_route=\"/\",url_scheme=\"http\"} 1\n";
    assert!(text.contains(counted), "{text}");
    assert!(!text.contains("readyz"), "{text}");
}
