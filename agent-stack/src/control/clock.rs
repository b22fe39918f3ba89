//! The one clock of every time the agent reports.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Where the clock begins.
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Lets the clock begin now rather than with its first reading.
pub(crate) fn start() {
    LazyLock::force(&ORIGIN);
}

/// Nanoseconds of the agent's monotonic clock.
pub(crate) fn now_ns() -> u64 {
    at_ns(Instant::now())
}

/// `instant` on the agent's monotonic clock, in nanoseconds.
pub(crate) fn at_ns(instant: Instant) -> u64 {
    nanoseconds(instant.saturating_duration_since(*ORIGIN))
}

/// A span of time in whole nanoseconds; what does not fit (584 years) is cut off.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_goes_back() {
        let first = now_ns();
        assert!(now_ns() >= first);
    }
}
