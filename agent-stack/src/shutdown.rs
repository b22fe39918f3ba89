//! When a part has to stop, and how much time it gets for that.
//!
//! A pod that is deleted gets SIGTERM at the same moment at which its address begins to disappear from Services and
//! gateways, so for a while it is still sent requests. The delay is in this process rather than in a `preStop` sleep
//! (KEP-3960), because only the process can tell the clients it has that their connections are over.

use std::io;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Environment variable with [`Grace::announce`] in milliseconds; without it there is nobody to announce anything to.
pub const ANNOUNCE_ENV: &str = "PORTPROOF_ANNOUNCE_MS";
/// Longest time to announce.
const LONGEST: Duration = Duration::from_mins(1);

/// The time a part gets between the signal and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace {
    /// How long it goes on accepting connections while it says that it leaves.
    pub announce: Duration,
    /// How long open exchanges get after that.
    pub finish: Duration,
}

impl Default for Grace {
    fn default() -> Self {
        Self {
            announce: Duration::ZERO,
            finish: Self::FINISH,
        }
    }
}

impl Grace {
    /// [`Grace::finish`] of every part.
    pub const FINISH: Duration = Duration::from_secs(15);

    /// What [`ANNOUNCE_ENV`] says.
    pub fn from_env() -> Self {
        Self {
            announce: announce(std::env::var(ANNOUNCE_ENV).ok().as_deref()),
            ..Self::default()
        }
    }

    /// A token for answers that have no end of their own: it is cancelled early enough after `shutdown` for their last
    /// words to be heard.
    pub fn last_words(self, shutdown: &CancellationToken) -> CancellationToken {
        let (shutdown, token) = (shutdown.clone(), CancellationToken::new());
        let cancelled = token.clone();
        tokio::spawn(async move {
            shutdown.cancelled().await;
            tokio::time::sleep(self.announce + self.finish * 2 / 3).await;
            cancelled.cancel();
        });
        token
    }
}

fn announce(text: Option<&str>) -> Duration {
    let Some(text) = text else {
        return Duration::ZERO;
    };
    let Ok(time) = text.parse().map(Duration::from_millis) else {
        tracing::warn!(
            value = text,
            "{ANNOUNCE_ENV} is no number of milliseconds and is not used"
        );
        return Duration::ZERO;
    };
    time.min(LONGEST)
}

/// A token that is cancelled at the first SIGTERM or SIGINT.
///
/// # Errors
/// When the signal handlers cannot be installed, or outside a Tokio runtime.
pub fn on_signal() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        // First, because nothing that becomes of the log may keep the process from ending.
        cancelled.cancel();
        tracing::info!("stopping on {name}");
    });
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_announce_is_read_and_bounded_and_nonsense_is_none() {
        assert_eq!(announce(None), Duration::ZERO);
        assert_eq!(announce(Some("2500")), Duration::from_millis(2500));
        assert_eq!(announce(Some("99999999")), LONGEST);
        assert_eq!(announce(Some("soon")), Duration::ZERO);
    }

    #[tokio::test]
    async fn endless_answers_are_told_to_end_some_time_after_the_signal_and_not_with_it() {
        let grace = Grace {
            announce: Duration::from_millis(10),
            finish: Duration::from_millis(60),
        };
        let shutdown = CancellationToken::new();
        let token = grace.last_words(&shutdown);
        shutdown.cancel();
        tokio::task::yield_now().await;
        assert!(!token.is_cancelled());
        token.cancelled().await;
    }
}
