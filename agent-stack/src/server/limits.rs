//! What one client may cost.

use std::time::Duration;

/// Bounds of a server. They hold for clients that send or read too slowly or not at all; an exchange that moves, or one
/// whose handler takes its time, is bounded by the handler alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time a client may take for the head of a request, from its first byte or from connecting.
    pub head: Duration,
    /// Time a client may take for the whole body of a request.
    pub body: Duration,
    /// Longest time a client may leave an answer unread.
    pub unread: Duration,
    /// Longest time a connection may stay open without a request. Longer than the 90 s after which Traefik and Go's HTTP
    /// client give up an idle connection themselves, so that the server never closes what a proxy is about to use.
    pub idle: Duration,
    /// The same when connections are running out.
    pub idle_when_crowded: Duration,
    /// Connections at the same time; more wait until one ends.
    pub connections: usize,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// HTTP/2: requests of one connection at the same time.
    pub streams: u32,
    /// HTTP/2: how often a silent client is asked whether it is still there, and how long it may take to say so.
    pub ping: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            unread: Duration::from_secs(30),
            idle: Duration::from_mins(2),
            idle_when_crowded: Duration::from_secs(1),
            connections: 2_048,
            head_bytes: 32 * 1024,
            streams: 256,
            ping: Duration::from_secs(20),
        }
    }
}

impl Limits {
    /// How often a connection looks whether its client takes too long.
    pub(super) fn tick(&self) -> Duration {
        self.head / 2
    }

    /// From how many free places on connections are running out.
    pub(super) fn crowded_below(&self) -> usize {
        self.connections / 8
    }
}
