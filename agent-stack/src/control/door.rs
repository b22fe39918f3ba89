//! Who gets in at the gRPC port, and how many at a time.
//!
//! A stranger costs a handshake and no more: only who has proved to belong to the run takes one of the seats.

use crate::server::{accept, watch_for_lost_peers};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

/// What callers may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at the same time; the next one is closed after its handshake.
    pub(crate) connections: usize,
    /// Handshakes at the same time; the next one ends the oldest.
    pub(crate) handshakes: usize,
    /// Time of a handshake. A peer that takes longer is no orchestrator.
    pub(crate) handshake: Duration,
    /// Time from the handshake to the first byte of HTTP/2, from which on pings ask after the peer.
    pub(crate) first_byte: Duration,
    /// Calls of one connection at the same time.
    pub(crate) streams: u32,
    /// How often a silent peer is asked whether it is still there.
    pub(crate) ping: Duration,
    /// How long it may take to say so.
    pub(crate) pong: Duration,
}

impl Default for Limits {
    /// An orchestrator opens one connection, and another where the first broke.
    fn default() -> Self {
        Self {
            connections: 32,
            handshakes: 32,
            handshake: Duration::from_secs(10),
            first_byte: Duration::from_secs(10),
            streams: 64,
            ping: Duration::from_secs(10),
            pong: Duration::from_secs(20),
        }
    }
}

/// Lets callers in.
pub(crate) struct Door {
    welcome: Welcome,
}

impl Door {
    /// A door, and who comes through it.
    pub(crate) fn new(
        acceptor: TlsAcceptor,
        limits: Limits,
    ) -> (Self, ReceiverStream<io::Result<Connection>>) {
        let (admitted, incoming) = mpsc::channel(1);
        let welcome = Welcome {
            acceptor,
            limits,
            seats: Arc::new(Semaphore::new(limits.connections)),
            admitted,
        };
        (Self { welcome }, ReceiverStream::new(incoming))
    }

    /// Lets callers in until `stop`, and then nobody; returns only when the listener is broken.
    pub(crate) async fn admit(self, listener: TcpListener, stop: CancellationToken) -> io::Error {
        tokio::select! {
            broken = self.accept(&listener) => return broken,
            () = stop.cancelled() => {}
        }
        drop(listener);
        std::future::pending().await
    }

    async fn accept(&self, listener: &TcpListener) -> io::Error {
        let mut under_way = VecDeque::new();
        loop {
            let stream = match accept(listener).await {
                Ok(stream) => stream,
                Err(error) => return error,
            };
            watch_for_lost_peers(&stream);
            make_room(&mut under_way, self.welcome.limits.handshakes);
            let received = tokio::spawn(self.welcome.clone().receive(stream));
            under_way.push_back(received.abort_handle());
        }
    }
}

/// Ends the oldest handshakes until there is room for one more. Whoever wants to keep others out must then be faster than
/// their handshakes, and not only patient.
fn make_room(under_way: &mut VecDeque<AbortHandle>, most: usize) {
    under_way.retain(|handshake| !handshake.is_finished());
    while under_way.len() >= most.max(1) {
        if let Some(oldest) = under_way.pop_front() {
            tracing::warn!("connection refused: too many handshakes at the same time");
            oldest.abort();
        }
    }
}

/// What each caller meets.
#[derive(Clone)]
struct Welcome {
    acceptor: TlsAcceptor,
    limits: Limits,
    seats: Arc<Semaphore>,
    admitted: mpsc::Sender<io::Result<Connection>>,
}

impl Welcome {
    async fn receive(self, stream: TcpStream) {
        let handshake = self.acceptor.accept(stream);
        let stream = match tokio::time::timeout(self.limits.handshake, handshake).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::warn!(%error, "connection refused"),
            Err(_) => return tracing::warn!("connection refused: the handshake took too long"),
        };
        let Ok(seat) = self.seats.try_acquire_owned() else {
            let connections = self.limits.connections;
            return tracing::warn!(connections, "connection refused: every seat is taken");
        };
        let connection = Connection {
            stream,
            silent_until: Some(Box::pin(tokio::time::sleep(self.limits.first_byte))),
            _seat: seat,
        };
        // Nobody takes it when the service has ended.
        let _ = self.admitted.send(Ok(connection)).await;
    }
}

/// A caller's connection, on its seat.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    /// The end of the time for the first byte, until it is there.
    silent_until: Option<Pin<Box<Sleep>>>,
    _seat: OwnedSemaphorePermit,
}

impl Connected for Connection {
    type ConnectInfo = <TlsStream<TcpStream> as Connected>::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let Some(limit) = &mut self.silent_until else {
            return read;
        };
        if read.is_ready() {
            self.silent_until = None;
            return read;
        }
        limit
            .as_mut()
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
