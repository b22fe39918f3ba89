//! What became of one request, and how errors are sorted.

use portproof_proto::v1::TrafficFailure;
use std::error::Error;
use std::io;

/// An answer, as far as the load plan is interested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// What the backend called itself; empty when it did not.
    pub(super) backend: String,
}

impl Answer {
    /// Anything outside 2xx is a failed request.
    pub(super) fn failure(&self) -> TrafficFailure {
        if (200..300).contains(&self.status) {
            TrafficFailure::Unspecified
        } else {
            TrafficFailure::Status
        }
    }
}

/// Sorts an error of an open connection: not HTTP, or gone.
pub(super) fn classify(error: &hyper::Error) -> TrafficFailure {
    if error.is_parse() || error.is_parse_status() || error.is_parse_too_large() {
        return TrafficFailure::Protocol;
    }
    if error.is_timeout() || io_kind(error) == Some(io::ErrorKind::TimedOut) {
        return TrafficFailure::Timeout;
    }
    // Every other way an open connection fails is that it went away: reset, closed early, broken pipe.
    TrafficFailure::Reset
}

fn io_kind(error: &hyper::Error) -> Option<io::ErrorKind> {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .map(io::Error::kind)
        .next()
}
