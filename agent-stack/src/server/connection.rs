//! One connection, from its first byte to its end.

use super::activity::{Activity, Overdue};
use super::exchange::Exchanges;
use super::floor::{Phase, Place};
use super::limits::Limits;
use super::socket::Socket;
use crate::telemetry::chain;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::pin::pin;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// hyper, set up for the limits. Its own limit for heads stays off: it counts idle time too, and the two need different
/// limits here.
pub(super) fn protocol(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(limits.head_bytes.max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.ping)
        .keep_alive_timeout(limits.ping)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX));
    builder
}

/// Serves a connection until its client leaves, takes too long, or the server ends. What goes wrong here is the client's
/// affair: it costs the connection and nothing else.
pub(super) async fn serve(
    stream: TcpStream,
    protocol: &Builder<TokioExecutor>,
    limits: Limits,
    exchanges: Exchanges,
    place: Place,
) {
    let activity = Activity::new();
    let mut phase = exchanges.phase.clone();
    phase.mark_unchanged();
    let socket = TokioIo::new(Socket::new(stream, activity.clone(), limits.unread));
    let asked = activity.clone();
    let service = service_fn(move |request| exchanges.clone().answer(request, asked.clone()));
    let mut connection = pin!(protocol.serve_connection(socket, service));
    let mut tick = interval_at(Instant::now() + limits.tick(), limits.tick());
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            ended = connection.as_mut() => return ending(ended),
            () = leaving(&mut phase, &activity) => connection.as_mut().graceful_shutdown(),
            _ = tick.tick() => match activity.overdue(Instant::now(), &limits, place.is_crowded()) {
                None => {}
                Some(Overdue::Idle) => connection.as_mut().graceful_shutdown(),
                Some(Overdue::Head) => return tracing::debug!("a client did not finish its head"),
            },
        }
    }
}

/// Returns when the connection has to come to its end: when the server drains, and over HTTP/2, where a client can be told
/// without losing a request (GOAWAY), as soon as it announces its end. A connection that was accepted later than that has
/// yet to say what it wants, and is closed by its first answer.
async fn leaving(phase: &mut watch::Receiver<Phase>, activity: &Activity) {
    while phase.changed().await.is_ok() {
        match *phase.borrow_and_update() {
            Phase::Draining => return,
            Phase::Announcing if activity.is_multiplexed() => return,
            Phase::Announcing | Phase::Serving => {}
        }
    }
    std::future::pending::<()>().await;
}

fn ending(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(error = chain(&*error), "a connection broke off");
    }
}
