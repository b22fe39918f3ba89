//! Intervals for a share that was measured on a finite number of requests.

use statrs::distribution::{Beta, ContinuousCDF as _, Normal};

/// An interval of shares, both ends in 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

impl Interval {
    /// Excludes nothing.
    const WHOLE: Self = Self {
        lower: 0.0,
        upper: 1.0,
    };

    /// The shares at most `tolerance` from `share`.
    pub fn around(share: f64, tolerance: f64) -> Self {
        Self {
            lower: share - tolerance,
            upper: share + tolerance,
        }
    }

    /// Whether every share of this interval lies in `other`.
    pub fn inside(&self, other: &Self) -> bool {
        self.lower >= other.lower && self.upper <= other.upper
    }

    /// Whether no share of this interval lies in `other`.
    pub fn outside(&self, other: &Self) -> bool {
        self.upper < other.lower || self.lower > other.upper
    }
}

/// The Wilson score interval of `hits` in `trials` at `confidence` (two-sided, for example 0.95).
///
/// Unlike the normal approximation it never leaves 0 to 1 and holds its coverage for small shares (E. B. Wilson,
/// "Probable inference, the law of succession, and statistical inference", 1927).
#[expect(
    clippy::cast_precision_loss,
    reason = "request counts are far below 2^52"
)]
pub fn wilson(hits: u64, trials: u64, confidence: f64) -> Interval {
    if !measures(trials, confidence) {
        return Interval::WHOLE;
    }
    let (n, share) = (trials as f64, hits as f64 / trials as f64);
    let z = Normal::standard().inverse_cdf(f64::midpoint(1.0, confidence));
    let z2 = z * z;
    let center = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    let lower = if hits == 0 {
        0.0
    } else {
        (center - half).max(0.0)
    };
    let upper = if hits == trials {
        1.0
    } else {
        (center + half).min(1.0)
    };
    Interval { lower, upper }
}

/// The Clopper-Pearson interval of `hits` in `trials` at `confidence` (two-sided, for example 0.95).
///
/// Exact for a handful of trials too, where the Wilson interval excludes shares that are quite possible (C. J. Clopper,
/// E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", 1934).
#[expect(
    clippy::cast_precision_loss,
    reason = "connection counts are far below 2^52"
)]
pub(super) fn clopper_pearson(hits: u64, trials: u64, confidence: f64) -> Interval {
    if !measures(trials, confidence) {
        return Interval::WHOLE;
    }
    let misses = trials.saturating_sub(hits);
    let tail = (1.0 - confidence) / 2.0;
    let quantile = |hits: u64, misses: u64, p| {
        let beta = Beta::new(hits as f64, misses as f64).ok()?;
        Some(beta.inverse_cdf(p))
    };
    // Without hits there is no lower bound, and without misses no upper one: then a parameter of the distribution is 0.
    Interval {
        lower: quantile(hits, misses + 1, tail).unwrap_or(0.0),
        upper: quantile(hits + 1, misses, 1.0 - tail).unwrap_or(1.0),
    }
}

/// Whether there is anything to derive an interval from; nothing measured, or a confidence that is none, excludes nothing.
fn measures(trials: u64, confidence: f64) -> bool {
    trials > 0 && confidence > 0.0 && confidence < 1.0
}

/// The share that none in `trials` still allows, at 95 % confidence: the rule of three, `3/n`.
#[expect(
    clippy::cast_precision_loss,
    reason = "request counts are far below 2^52"
)]
pub fn upper_bound_of_none(trials: u64) -> f64 {
    if trials == 0 {
        1.0
    } else {
        (3.0 / trials as f64).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The accepted counts published for 10 % ± 2 points.
    #[test]
    fn the_band_accepts_exactly_the_published_counts() {
        let band = Interval::around(0.1, 0.02);
        for (trials, first, last) in [
            (1_000, 97, 99),
            (2_000, 184, 211),
            (3_000, 270, 325),
            (4_000, 354, 439),
        ] {
            let accepted: Vec<_> = (0..=trials)
                .filter(|hits| wilson(*hits, trials, 0.95).inside(&band))
                .collect();
            assert_eq!(
                (accepted.first(), accepted.last()),
                (Some(&first), Some(&last)),
                "n = {trials}"
            );
        }
    }

    #[test]
    fn nothing_measured_excludes_nothing() {
        assert_eq!(wilson(0, 0, 0.95), Interval::WHOLE);
        assert_eq!(clopper_pearson(0, 0, 0.95), Interval::WHOLE);
        assert!((upper_bound_of_none(3_000) - 0.001).abs() < 1e-12);
    }

    /// None in `n` excludes the shares of which `n` misses in a row have less than the tail's probability.
    #[test]
    fn the_exact_interval_of_none_ends_where_none_becomes_improbable() {
        for trials in [1_u64, 2, 16, 45, 100] {
            let Interval { lower, upper } = clopper_pearson(0, trials, 0.95);
            assert!(lower.abs() < 1e-12, "{lower}");
            let none = (1.0 - upper).powf(f64::from(u32::try_from(trials).unwrap()));
            assert!((none - 0.025).abs() < 1e-6, "{trials}: {none}");
            let all = clopper_pearson(trials, trials, 0.95);
            assert!((all.lower - (1.0 - upper)).abs() < 1e-6, "{all:?}");
        }
    }

    fn counts() -> impl Strategy<Value = (u64, u64)> {
        (1_u64..20_000).prop_flat_map(|trials| (0..=trials, Just(trials)))
    }

    proptest! {
        #[test]
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        fn the_measured_share_lies_in_its_interval((hits, trials) in counts()) {
            let (interval, share) = (wilson(hits, trials, 0.95), hits as f64 / trials as f64);
            prop_assert!(interval.lower >= 0.0 && interval.upper <= 1.0);
            prop_assert!(interval.lower <= share && share <= interval.upper);
        }

        #[test]
        fn more_confidence_needs_a_wider_interval((hits, trials) in counts()) {
            prop_assert!(wilson(hits, trials, 0.95).inside(&wilson(hits, trials, 0.99)));
        }

        #[test]
        fn more_requests_narrow_the_interval((hits, trials) in counts()) {
            let (few, many) = (wilson(hits, trials, 0.95), wilson(hits * 4, trials * 4, 0.95));
            prop_assert!(many.upper - many.lower < few.upper - few.lower);
        }

        #[test]
        fn counting_the_other_backend_mirrors_the_interval((hits, trials) in counts()) {
            let (one, other) = (wilson(hits, trials, 0.95), wilson(trials - hits, trials, 0.95));
            prop_assert!((one.lower - (1.0 - other.upper)).abs() < 1e-9);
        }

        #[test]
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        fn the_measured_share_lies_in_the_exact_interval((hits, trials) in counts()) {
            let (interval, share) = (clopper_pearson(hits, trials, 0.95), hits as f64 / trials as f64);
            prop_assert!(interval.lower >= 0.0 && interval.upper <= 1.0);
            prop_assert!(interval.lower <= share && share <= interval.upper, "{interval:?}");
        }

        #[test]
        fn no_interval_is_both_inside_and_outside((hits, trials) in counts()) {
            let (interval, band) = (wilson(hits, trials, 0.95), Interval::around(0.1, 0.02));
            prop_assert!(!(interval.inside(&band) && interval.outside(&band)));
        }
    }
}
