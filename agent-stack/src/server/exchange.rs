//! One request and its answer, around the router.

use super::activity::{Activity, Open};
use super::body::{HoldingBody, Late, timely};
use super::floor::Phase;
use super::health::{asks_readiness, leaving};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, Version, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;
use tower::Service as _;

/// What every exchange of a server shares.
#[derive(Clone, Debug)]
pub(super) struct Exchanges {
    pub(super) router: Router,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) body_limit: Duration,
}

impl Exchanges {
    /// Answers one request of a connection.
    pub(super) async fn answer(
        self,
        request: Request<Incoming>,
        activity: Activity,
    ) -> Result<Response, Infallible> {
        let version = request.version();
        let open = activity.begin();
        let phase = *self.phase.borrow();
        let (head, body) = request.into_parts();
        let (body, late) = timely(body, self.body_limit);
        let response = if phase != Phase::Serving && asks_readiness(head.uri.path()) {
            leaving()
        } else {
            let Ok(response) = self
                .router
                .clone()
                .call(Request::from_parts(head, body))
                .await;
            response
        };
        let response = too_late(response, &late);
        let last = late.happened() || *self.phase.borrow() != Phase::Serving;
        let response = closing(response, last && version < Version::HTTP_2);
        Ok(held(response, open))
    }
}

/// A handler that got no whole body says what it likes; that the client was too slow is said here.
fn too_late(response: Response, late: &Late) -> Response {
    if late.happened() {
        let why = "the body of the request did not arrive in time";
        return (StatusCode::REQUEST_TIMEOUT, why).into_response();
    }
    response
}

/// Tells an HTTP/1 client that this connection is over, so that it doesn't find out by losing a request.
fn closing(mut response: Response, last: bool) -> Response {
    if last {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The exchange is open until its answer has been sent.
fn held(response: Response, open: Open) -> Response {
    response.map(|body| Body::new(HoldingBody::new(body, open)))
}
