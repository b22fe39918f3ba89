//! Serves an HTTP router: one listener, a health route, a graceful end.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Longest time open requests get after the server was told to stop.
const GRACE: Duration = Duration::from_secs(8);

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
    /// Accepting connections failed.
    #[error("the server stopped accepting connections")]
    Serve(#[source] io::Error),
}

/// Says whether a part can serve, with the reason when it can't.
pub type Readiness = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// A part that is ready as soon as it listens.
pub fn always_ready() -> Readiness {
    Arc::new(|| Ok(()))
}

/// Adds `GET /healthz`: 200 when ready, 503 with the reason otherwise.
pub fn with_health(router: Router, ready: Readiness) -> Router {
    router.route(
        "/healthz",
        get(move || async move {
            match ready() {
                Ok(()) => (StatusCode::OK, "ok".to_owned()),
                Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
            }
        }),
    )
}

/// Serves `router` on `port` of every address until `shutdown`.
///
/// # Errors
/// When the port cannot be bound or accepting fails.
pub async fn serve(
    port: u16,
    router: Router,
    shutdown: CancellationToken,
) -> Result<(), ServerError> {
    let listener = listen(port)
        .await
        .map_err(|source| ServerError::Bind { port, source })?;
    tracing::info!(port, "listening");
    serve_on(listener, router, shutdown).await
}

/// Listens on IPv6 and IPv4, or on IPv4 alone where the pod has no IPv6.
pub(crate) async fn listen(port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
    }
}

/// Serves `router` on an open listener until `shutdown`; open requests then get [`GRACE`] to end.
///
/// # Errors
/// When accepting fails.
pub async fn serve_on(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) -> Result<(), ServerError> {
    let graceful =
        axum::serve(listener, router).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let cut = async {
        shutdown.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = graceful => served.map_err(ServerError::Serve),
        () = cut => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    async fn health(ready: Readiness) -> StatusCode {
        let request = Request::get("/healthz").body(Body::empty()).unwrap();
        with_health(Router::new(), ready)
            .oneshot(request)
            .await
            .unwrap()
            .status()
    }

    #[tokio::test]
    async fn health_says_whether_the_part_is_ready() {
        assert_eq!(health(always_ready()).await, StatusCode::OK);
        assert_eq!(
            health(Arc::new(|| Err("not yet".into()))).await,
            StatusCode::SERVICE_UNAVAILABLE
        );
    }

    #[tokio::test]
    async fn a_server_ends_when_it_is_told_to() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let shutdown = CancellationToken::new();
        let served = tokio::spawn(serve_on(listener, Router::new(), shutdown.clone()));
        shutdown.cancel();
        served.await.unwrap().unwrap();
    }
}
