//! Serves an HTTP router to clients that may be slow, silent or hostile, and ends without losing a request.
//!
//! hyper reads HTTP; this room bounds what a client may cost (time for a head, for a body, for reading an answer; idle
//! connections; connections in all) and orders the end: first the part says that it leaves while it still serves, so
//! that load balancers stop sending, then it finishes what it has. Answers that are streams are never cut while their
//! reader reads.

mod accept;
mod activity;
mod body;
mod connection;
mod exchange;
mod floor;
mod health;
mod limits;
mod refusal;
mod socket;
#[cfg(test)]
mod tests;

pub(crate) use accept::accept;
pub(crate) use body::HoldingBody;
pub use health::{Readiness, always_ready, with_health};
pub use limits::Limits;
pub(crate) use refusal::with_refusals;
pub(crate) use socket::watch_for_lost_peers;

use crate::shutdown::Grace;
use crate::telemetry::{Metrics, Telemetry, observe, with_metrics};
use axum::Router;
use floor::{Floor, Phase};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Why a server could not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The port is taken or may not be used.
    #[error("cannot listen on port {port}")]
    Bind {
        /// The port.
        port: u16,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The listener itself is broken.
    #[error("the server cannot accept connections any more")]
    Accept(#[source] io::Error),
}

/// A router with what it takes to serve it.
#[derive(Clone, Debug)]
pub struct Server {
    router: Router,
    limits: Limits,
    grace: Grace,
    metrics: Metrics,
}

impl Server {
    /// A server with the limits of the stack and the grace of the environment, whose metrics nobody exports.
    pub fn new(router: Router) -> Self {
        Self {
            router,
            limits: Limits::default(),
            grace: Grace::from_env(),
            metrics: Metrics::disabled(),
        }
    }

    /// Counts requests in the metrics of a part.
    #[must_use]
    pub fn observed_by(mut self, telemetry: &Telemetry) -> Self {
        self.metrics = telemetry.metrics().clone();
        self
    }

    /// Other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Another grace.
    #[must_use]
    pub fn with_grace(mut self, grace: Grace) -> Self {
        self.grace = grace;
        self
    }

    /// Serves on `port` of every address until `shutdown`, and then until everything is finished.
    ///
    /// # Errors
    /// When the port cannot be bound or the listener breaks.
    pub async fn serve(self, port: u16, shutdown: CancellationToken) -> Result<(), ServerError> {
        let listener = listen(port)
            .await
            .map_err(|source| ServerError::Bind { port, source })?;
        tracing::info!(port, "listening");
        self.serve_on(listener, shutdown).await
    }

    /// Serves on an open listener until `shutdown`, and then until everything is finished.
    ///
    /// After `shutdown` connections are still taken for [`Grace::announce`] while `/readyz` says no and HTTP/1 answers
    /// carry `Connection: close`; then the listener closes and open exchanges get [`Grace::finish`].
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn serve_on(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), ServerError> {
        let Self {
            router,
            limits,
            grace,
            metrics,
        } = self;
        let router = observe(with_metrics(router, &metrics), &metrics);
        let floor = Floor::new(router, limits);
        tokio::select! {
            broken = floor.accept(&listener) => return Err(ServerError::Accept(broken)),
            () = shutdown.cancelled() => {}
        }
        floor.enter(Phase::Announcing);
        if let Ok(broken) = tokio::time::timeout(grace.announce, floor.accept(&listener)).await {
            return Err(ServerError::Accept(broken));
        }
        floor.accept_waiting(&listener).await;
        drop(listener);
        floor.enter(Phase::Draining);
        floor.finish(grace.finish).await;
        Ok(())
    }
}

/// Serves `router` on `port` of every address until `shutdown`.
///
/// # Errors
/// When the port cannot be bound or the listener breaks.
pub async fn serve(
    port: u16,
    router: Router,
    shutdown: CancellationToken,
) -> Result<(), ServerError> {
    Server::new(router).serve(port, shutdown).await
}

/// Serves `router` on an open listener until `shutdown`.
///
/// # Errors
/// When the listener breaks.
pub async fn serve_on(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) -> Result<(), ServerError> {
    Server::new(router).serve_on(listener, shutdown).await
}

/// Listens on IPv6 and IPv4, or on IPv4 alone where the pod has no IPv6.
pub(crate) async fn listen(port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
    }
}
