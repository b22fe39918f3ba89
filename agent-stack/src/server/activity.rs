//! What one connection is doing, as its socket and its exchanges see it.

use super::limits::Limits;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// First bytes of a client that speaks HTTP/2 (RFC 9113, section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI";

/// The state of a connection; shared by its socket, its exchanges and the task that watches it.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Exchanges that are not finished.
    open: u32,
    waiting: Waiting,
    /// HTTP/2: exchanges overlap, and bytes between them need not be a request.
    multiplexed: bool,
}

/// What is waited for while no exchange is open.
#[derive(Clone, Copy, Debug)]
enum Waiting {
    /// The first byte, since the connection is open.
    FirstByte(Instant),
    /// The rest of a head that has begun.
    Head(Instant),
    /// The next request.
    Request(Instant),
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// The head of a request took too long.
    Head,
    /// Nothing was asked for too long.
    Idle,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            open: 0,
            waiting: Waiting::FirstByte(Instant::now()),
            multiplexed: false,
        })))
    }

    /// Bytes came in.
    pub(super) fn received(&self, bytes: &[u8]) {
        let mut state = self.state();
        if state.open > 0 || bytes.is_empty() {
            return;
        }
        let first = matches!(state.waiting, Waiting::FirstByte(_));
        state.multiplexed |= first && bytes.starts_with(HTTP2_PREFACE);
        state.waiting = match state.waiting {
            Waiting::FirstByte(_) if state.multiplexed => Waiting::Request(Instant::now()),
            // The time for the first head counts from connecting, or a client could begin late and then be slow.
            Waiting::FirstByte(since) => Waiting::Head(since),
            Waiting::Request(_) if !state.multiplexed => Waiting::Head(Instant::now()),
            same => same,
        };
    }

    /// An exchange began; it is open until the guard is dropped.
    pub(super) fn begin(&self) -> Open {
        self.state().open += 1;
        Open(self.clone())
    }

    /// Whether the client takes longer than it may.
    pub(super) fn overdue(&self, now: Instant, limits: &Limits, crowded: bool) -> Option<Overdue> {
        let state = self.state();
        if state.open > 0 {
            return None;
        }
        let idle = if crowded {
            limits.idle_when_crowded
        } else {
            limits.idle
        };
        let past = |since: Instant, limit: Duration| now.saturating_duration_since(since) >= limit;
        match state.waiting {
            Waiting::FirstByte(since) | Waiting::Head(since) => {
                past(since, limits.head).then_some(Overdue::Head)
            }
            Waiting::Request(since) => past(since, idle).then_some(Overdue::Idle),
        }
    }

    /// Whether the client speaks HTTP/2.
    pub(super) fn is_multiplexed(&self) -> bool {
        self.state().multiplexed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open exchange.
#[derive(Debug)]
pub(super) struct Open(Activity);

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.open -= 1;
        if state.open == 0 {
            state.waiting = Waiting::Request(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            head: Duration::from_secs(1),
            idle: Duration::from_secs(10),
            idle_when_crowded: Duration::from_secs(2),
            ..Limits::default()
        }
    }

    /// What becomes of a connection that is left alone for so long.
    fn after(activity: &Activity, seconds: u64, crowded: bool) -> Option<Overdue> {
        let now = Instant::now() + Duration::from_secs(seconds);
        activity.overdue(now, &limits(), crowded)
    }

    #[test]
    fn a_client_that_says_nothing_or_stops_in_its_head_is_overdue() {
        for sent in ["", "GET / HT"] {
            let activity = Activity::new();
            activity.received(sent.as_bytes());
            assert_eq!(after(&activity, 0, false), None);
            assert_eq!(after(&activity, 1, false), Some(Overdue::Head));
        }
    }

    #[test]
    fn bytes_that_drip_do_not_give_a_head_more_time() {
        let activity = Activity::new();
        activity.received(b"G");
        drop(activity.begin());
        activity.received(b"G");
        let begun = Instant::now();
        std::thread::sleep(Duration::from_millis(5));
        activity.received(b"E");
        let limit = begun + limits().head;
        assert_eq!(
            activity.overdue(limit, &limits(), false),
            Some(Overdue::Head)
        );
    }

    #[test]
    fn an_open_exchange_is_never_overdue() {
        let activity = Activity::new();
        let _open = activity.begin();
        assert_eq!(after(&activity, 3_600, true), None);
    }

    #[test]
    fn an_idle_connection_goes_sooner_when_there_are_many() {
        let activity = Activity::new();
        drop(activity.begin());
        assert_eq!(after(&activity, 2, false), None);
        assert_eq!(after(&activity, 2, true), Some(Overdue::Idle));
        assert_eq!(after(&activity, 10, false), Some(Overdue::Idle));
    }

    #[test]
    fn frames_of_http2_are_not_taken_for_the_beginning_of_a_head() {
        let activity = Activity::new();
        activity.received(b"PRI * HTTP/2.0\r\n");
        drop(activity.begin());
        activity.received(&[0, 0, 8, 6, 1]);
        assert!(activity.is_multiplexed());
        assert_eq!(after(&activity, 5, false), None);
    }
}
