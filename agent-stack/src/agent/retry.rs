//! How often something is tried, and how long.

use std::time::Duration;
use tokio::time::Instant;

/// Bounds for requests to the model and for tool calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Most attempts of one request, at least 1.
    pub attempts: u32,
    /// Pause after the first attempt; each further one doubles it.
    pub pause: Duration,
    /// Longest time one attempt may take.
    pub limit: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 3,
            pause: Duration::from_millis(200),
            limit: Duration::from_mins(2),
        }
    }
}

impl RetryPolicy {
    /// The attempts of one request that must be over at `until`.
    pub(super) const fn begin(self, until: Instant) -> Attempts {
        Attempts {
            policy: self,
            until,
            number: 1,
        }
    }
}

/// The attempts of one request.
#[derive(Debug)]
pub(super) struct Attempts {
    policy: RetryPolicy,
    until: Instant,
    number: u32,
}

impl Attempts {
    /// Number of the present attempt, from 1.
    pub(super) const fn number(&self) -> u32 {
        self.number
    }

    /// Longest time the present attempt may take.
    pub(super) fn limit(&self) -> Duration {
        let left = self.until.saturating_duration_since(Instant::now());
        self.policy.limit.min(left)
    }

    fn pause(&self) -> Duration {
        self.policy.pause * 2_u32.saturating_pow(self.number - 1)
    }

    /// Waits before the next attempt; says whether there is one. No attempt is begun that has no time left.
    pub(super) async fn again(&mut self) -> bool {
        let pause = self.pause();
        if self.number >= self.policy.attempts || Instant::now() + pause >= self.until {
            return false;
        }
        tokio::time::sleep(pause).await;
        self.number += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(attempts: u32) -> RetryPolicy {
        RetryPolicy {
            attempts,
            pause: Duration::from_millis(2),
            limit: Duration::from_secs(10),
        }
    }

    #[tokio::test]
    async fn attempts_are_counted_and_pauses_double() {
        let mut attempts = policy(3).begin(Instant::now() + Duration::from_mins(1));
        let mut pauses = vec![attempts.pause()];
        while attempts.again().await {
            pauses.push(attempts.pause());
        }
        assert_eq!(pauses, [2, 4, 8].map(Duration::from_millis));
        assert_eq!(attempts.number(), 3);
    }

    #[tokio::test]
    async fn no_attempt_outlives_the_deadline() {
        let mut attempts = policy(9).begin(Instant::now() + Duration::from_millis(1));
        assert!(attempts.limit() <= Duration::from_millis(1));
        assert!(!attempts.again().await);
    }
}
