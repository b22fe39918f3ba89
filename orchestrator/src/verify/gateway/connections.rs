//! What connections say of a split: whether answers stick to them. Then requests are no independent trials, and no
//! interval over requests means anything.

use super::traffic::is_canary;
use crate::verify::evidence::Sample;
use serde_json::{Value, json};
use statrs::distribution::{ChiSquared, ContinuousCDF as _};
use std::collections::BTreeMap;

/// Below this probability the spread between connections is not chance: answers stick to connections. Full pinning is
/// many orders of magnitude below it, and honest balancers trip it once in a million runs.
const STICKY_P: f64 = 1e-6;

/// Answers of one connection.
#[derive(Clone, Copy, Default)]
struct Answers {
    total: u64,
    canary: u64,
}

impl Answers {
    /// Whether both versions answered.
    const fn divided(self) -> bool {
        self.canary > 0 && self.canary < self.total
    }
}

/// The connections that had an answer.
pub(super) struct Connections {
    pub(super) number: u64,
    /// Those on which the canary answered.
    pub(super) canary: u64,
    /// Whether no connection was answered by both versions. Then nothing tells a choice for each request from one for
    /// each connection, and only the connections are known to be independent trials.
    pub(super) undivided: bool,
    pub(super) stickiness: Option<Stickiness>,
}

impl Connections {
    pub(super) fn of(samples: &[Sample]) -> Self {
        let mut answers: BTreeMap<u32, Answers> = BTreeMap::new();
        for sample in samples.iter().filter(|sample| sample.failure.is_none()) {
            let connection = answers.entry(sample.connection).or_default();
            connection.total += 1;
            connection.canary += u64::from(is_canary(sample));
        }
        let answers: Vec<_> = answers.into_values().collect();
        Self {
            number: answers.len() as u64,
            canary: answers.iter().filter(|it| it.canary > 0).count() as u64,
            undivided: !answers.iter().any(|it| it.divided()),
            stickiness: Stickiness::of(&answers),
        }
    }

    pub(super) fn evidence(&self) -> Value {
        let stickiness = self.stickiness.as_ref();
        json!({
            "number": self.number,
            "canary": self.canary,
            "undivided": self.undivided,
            "chiSquared": stickiness.map(|it| it.chi_squared),
            "p": stickiness.map(|it| it.p),
        })
    }
}

/// How far the canary's share differs between connections.
pub(super) struct Stickiness {
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
    fn of(answers: &[Answers]) -> Option<Self> {
        let total: u64 = answers.iter().map(|it| it.total).sum();
        let canary: u64 = answers.iter().map(|it| it.canary).sum();
        if answers.len() < 2 || canary == 0 || canary == total {
            return None;
        }
        let share = canary as f64 / total as f64;
        let chi_squared = answers
            .iter()
            .map(|it| {
                let (total, canary) = (it.total as f64, it.canary as f64);
                (canary - total * share).powi(2) / (total * share * (1.0 - share))
            })
            .sum();
        let p = upper_tail(chi_squared, answers, share)?;
        Some(Self { chi_squared, p })
    }

    /// The probability in words; that of full pinning is smaller than any number.
    pub(super) fn odds(&self) -> String {
        if self.p < f64::MIN_POSITIVE {
            "p below 1e-300".to_owned()
        } else {
            format!("p = {:.0e}", self.p)
        }
    }

    /// Whether the spread is no chance.
    pub(super) fn is_no_chance(&self) -> bool {
        self.p < STICKY_P
    }
}

/// The probability of at least `chi_squared`. A connection with few answers of the canary spreads more than the
/// chi-squared distribution allows for, so that one is scaled to the variance of binomial counts (F. E. Satterthwaite,
/// "An approximate distribution of estimates of variance components", 1946).
#[expect(
    clippy::cast_precision_loss,
    reason = "request counts are far below 2^52"
)]
fn upper_tail(chi_squared: f64, answers: &[Answers], share: f64) -> Option<f64> {
    let mean = answers.len() as f64 - 1.0;
    let excess = 1.0 / (share * (1.0 - share)) - 6.0;
    let inverse: f64 = answers.iter().map(|it| 1.0 / it.total as f64).sum();
    let variance = (2.0 * mean + excess * inverse).max(mean);
    let scale = variance / (2.0 * mean);
    let distribution = ChiSquared::new(mean / scale).ok()?;
    Some(distribution.sf(chi_squared / scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(answers: &[(u64, u64)]) -> f64 {
        let answers: Vec<_> = answers
            .iter()
            .map(|&(total, canary)| Answers { total, canary })
            .collect();
        Stickiness::of(&answers).unwrap().p
    }

    #[test]
    fn two_answers_on_one_of_many_connections_are_chance() {
        let mut answers = [(40, 0); 100];
        answers[3] = (40, 2);
        assert!(p(&answers) > 1e-3);
    }

    #[test]
    fn pinned_connections_are_no_chance_however_few_are_the_canarys() {
        for canary in [1, 10, 50, 99] {
            let answers: Vec<_> = (0..100)
                .map(|index| (40, if index < canary { 40 } else { 0 }))
                .collect();
            assert!(p(&answers) < STICKY_P, "{canary}");
        }
    }

    #[test]
    fn half_pinned_connections_are_no_chance() {
        let answers: Vec<_> = (0..100)
            .map(|index| (40, if index < 10 { 22 } else { 2 }))
            .collect();
        assert!(p(&answers) < STICKY_P);
    }
}
