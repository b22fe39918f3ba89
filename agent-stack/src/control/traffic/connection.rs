//! One slot of the load plan: at any time at most one connection, one request on it, no retries.

use super::outcome::{Answer, classify};
use bytes::Bytes;
use http::header::{HOST, HeaderMap, HeaderValue};
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use portproof_proto::names::BACKEND_HEADER;
use portproof_proto::v1::TrafficFailure;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// Where every request of a plan goes and what it looks like.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: Uri,
    pub(super) host_header: HeaderValue,
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
}

impl Target {
    fn request(&self) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(HOST, self.host_header.clone());
        request
    }
}

/// A slot. Connections of all slots are numbered together, in the order they were dialled.
pub(super) struct Slot {
    target: Arc<Target>,
    dialled: Arc<AtomicU32>,
    open: Option<SendRequest<Empty<Bytes>>>,
    number: u32,
}

impl Slot {
    pub(super) fn new(target: Arc<Target>, dialled: Arc<AtomicU32>) -> Self {
        Self {
            target,
            dialled,
            open: None,
            number: 0,
        }
    }

    /// Number of the connection in use, or last tried.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Opens a connection unless there is one that is still good. A failure here is met again by the next request, which
    /// counts it.
    pub(super) async fn prepare(&mut self) {
        let _ = self.connect(Instant::now() + self.target.timeout).await;
    }

    /// Sends one request and reads the whole answer.
    pub(super) async fn ask(&mut self) -> Result<Answer, TrafficFailure> {
        let deadline = Instant::now() + self.target.timeout;
        self.connect(deadline).await?;
        let Some(sender) = self.open.as_mut() else {
            return Err(TrafficFailure::Connect);
        };
        let outcome = timeout_at(deadline, exchange(sender, self.target.request())).await;
        let outcome = outcome.unwrap_or(Err(TrafficFailure::Timeout));
        if outcome.is_err() {
            // An answer that may still come would be taken for the next request's.
            self.open = None;
        }
        outcome
    }

    async fn connect(&mut self, deadline: Instant) -> Result<(), TrafficFailure> {
        if let Some(sender) = self.open.as_mut() {
            // `ready` fails when the other side has closed in the meantime: nothing was sent, so nothing is retried.
            match timeout_at(deadline, sender.ready()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(_)) => self.open = None,
                Err(_) => return Err(TrafficFailure::Timeout),
            }
        }
        self.number = self.dialled.fetch_add(1, Ordering::Relaxed);
        let dial = dial(&self.target.host, self.target.port);
        self.open = Some(
            timeout_at(deadline, dial)
                .await
                .unwrap_or(Err(TrafficFailure::Connect))?,
        );
        Ok(())
    }
}

async fn dial(host: &str, port: u16) -> Result<SendRequest<Empty<Bytes>>, TrafficFailure> {
    let connect = async {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        Ok::<_, std::io::Error>(stream)
    };
    let stream = connect.await.map_err(|_| TrafficFailure::Connect)?;
    let (sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(|_| TrafficFailure::Connect)?;
    // Ends with the sender; its error is also the error of the request in flight.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

async fn exchange(
    sender: &mut SendRequest<Empty<Bytes>>,
    request: Request<Empty<Bytes>>,
) -> Result<Answer, TrafficFailure> {
    let answer = sender
        .send_request(request)
        .await
        .map_err(|error| classify(&error))?;
    let backend = answer
        .headers()
        .get(BACKEND_HEADER)
        .and_then(|backend| backend.to_str().ok());
    let summary = Answer {
        status: answer.status().as_u16(),
        backend: backend.unwrap_or_default().to_owned(),
    };
    let mut body = answer.into_body();
    while let Some(frame) = body.frame().await {
        frame.map_err(|error| classify(&error))?;
    }
    Ok(summary)
}
