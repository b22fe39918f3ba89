//! All connections of a server: how many there may be, and how they end.

use super::accept::accept;
use super::connection::{self, protocol};
use super::exchange::Exchanges;
use super::limits::Limits;
use axum::Router;
use futures::FutureExt as _;
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto::Builder;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How far a server is on its way to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It serves.
    Serving,
    /// It serves, and says that it is about to end.
    Announcing,
    /// It takes no connections any more and finishes what it has.
    Draining,
}

/// The room of one connection.
#[derive(Clone, Debug)]
pub(super) struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
    places: Arc<Semaphore>,
    crowded_below: usize,
}

impl Place {
    /// Whether few places are left.
    pub(super) fn is_crowded(&self) -> bool {
        self.places.available_permits() < self.crowded_below
    }
}

/// Every connection of one server.
pub(super) struct Floor {
    exchanges: Exchanges,
    protocol: Arc<Builder<TokioExecutor>>,
    limits: Limits,
    places: Arc<Semaphore>,
    phase: watch::Sender<Phase>,
    connections: TaskTracker,
    cut: CancellationToken,
}

impl Floor {
    pub(super) fn new(router: Router, limits: Limits) -> Self {
        let phase = watch::Sender::new(Phase::Serving);
        let exchanges = Exchanges {
            router,
            phase: phase.subscribe(),
            body_limit: limits.body,
        };
        Self {
            exchanges,
            protocol: Arc::new(protocol(&limits)),
            limits,
            places: Arc::new(Semaphore::new(limits.connections)),
            phase,
            connections: TaskTracker::new(),
            cut: CancellationToken::new(),
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Accepts connections for as long as it is polled; returns only when the listener is broken.
    pub(super) async fn accept(&self, listener: &TcpListener) -> io::Error {
        loop {
            let place = self.place().await;
            match accept(listener).await {
                Ok(stream) => self.serve(stream, place),
                Err(error) => return error,
            }
        }
    }

    /// Accepts what the kernel has accepted already: closing the listener would reset it.
    pub(super) async fn accept_waiting(&self, listener: &TcpListener) {
        // One turn of the runtime, so that it has noticed what waits.
        tokio::task::yield_now().await;
        while let Some(Ok((stream, _))) = listener.accept().now_or_never() {
            match self.place().now_or_never() {
                Some(place) => self.serve(stream, place),
                None => return,
            }
        }
    }

    /// Waits for the end of every connection; what is left after `limit` is cut off.
    pub(super) async fn finish(&self, limit: Duration) {
        self.connections.close();
        if tokio::time::timeout(limit, self.connections.wait())
            .await
            .is_err()
        {
            let connections = self.connections.len();
            tracing::warn!(connections, "exchanges did not end in time and are cut off");
            self.cut.cancel();
            self.connections.wait().await;
        }
    }

    async fn place(&self) -> Place {
        let places = Arc::clone(&self.places);
        match places.acquire_owned().await {
            Ok(permit) => Place {
                _permit: Arc::new(permit),
                places: Arc::clone(&self.places),
                crowded_below: self.limits.crowded_below(),
            },
            // Only a closed semaphore refuses, and nobody closes this one.
            Err(_) => std::future::pending().await,
        }
    }

    fn serve(&self, stream: TcpStream, place: Place) {
        let (protocol, limits) = (Arc::clone(&self.protocol), self.limits);
        let (exchanges, cut) = (self.exchanges.clone(), self.cut.clone());
        self.connections.spawn(async move {
            tokio::select! {
                () = connection::serve(stream, &protocol, limits, exchanges, place) => {}
                () = cut.cancelled() => {}
            }
        });
    }
}
