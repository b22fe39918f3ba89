//! Whether answers stick to connections: then requests are no independent trials, and no interval over them means anything.

use super::traffic::is_canary;
use crate::verify::evidence::Sample;
use statrs::distribution::{ChiSquared, ContinuousCDF as _};
use std::collections::BTreeMap;

/// Below this probability the spread between connections is not chance: answers stick to connections. Full pinning is
/// many orders of magnitude below it, and honest balancers trip it once in a million runs.
const STICKY_P: f64 = 1e-6;

/// How far the canary's share differs between connections.
pub(super) struct Stickiness {
    pub(super) connections: usize,
    pub(super) chi_squared: f64,
    /// Probability of at least this spread when answers do not depend on the connection.
    pub(super) p: f64,
}

impl Stickiness {
    /// Pearson's test that the canary's share is the same on every connection; `None` where there is nothing to
    /// compare. Only the upper tail is looked at: a round robin spreads less than chance and is no fault.
    #[expect(
        clippy::cast_precision_loss,
        reason = "request counts are far below 2^52"
    )]
    pub(super) fn of(samples: &[Sample]) -> Option<Self> {
        let mut by_connection: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for sample in samples.iter().filter(|sample| sample.failure.is_none()) {
            let (total, canary) = by_connection.entry(sample.connection).or_default();
            *total += 1;
            *canary += u64::from(is_canary(sample));
        }
        let total: u64 = by_connection.values().map(|(total, _)| total).sum();
        let canary: u64 = by_connection.values().map(|(_, canary)| canary).sum();
        if by_connection.len() < 2 || canary == 0 || canary == total {
            return None;
        }
        let share = canary as f64 / total as f64;
        let chi_squared = by_connection
            .values()
            .map(|(total, canary)| {
                let (total, canary) = (*total as f64, *canary as f64);
                (canary - total * share).powi(2) / (total * share * (1.0 - share))
            })
            .sum();
        let p = ChiSquared::new(by_connection.len() as f64 - 1.0)
            .ok()?
            .sf(chi_squared);
        Some(Self {
            connections: by_connection.len(),
            chi_squared,
            p,
        })
    }

    /// Whether the spread is no chance.
    pub(super) fn is_no_chance(&self) -> bool {
        self.p < STICKY_P
    }
}
