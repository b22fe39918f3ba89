//! `gateway/canary-weight`: the measured share of the canary is the share the route asks for.

use super::interval::{Interval, wilson};
use super::traffic::{Tally, is_canary};
use crate::verify::catalogue::{CANARY_WEIGHT, failed, inconclusive};
use crate::verify::evidence::{Sample, TrafficRecord};
use crate::verify::measure::{percent, thousands};
use crate::verify::{CheckResult, Fact, Verdict};
use serde_json::{Value, json};

/// Number of points of the share over time in the evidence.
const POINTS: usize = 40;

/// What the split shall be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightGoal {
    /// Share of the canary that the route asks for, 0 to 1.
    pub canary_share: f64,
    /// How far the real share may be from it, 0 to 1 (0.02 for two points).
    pub tolerance: f64,
    /// Confidence of the interval, for example 0.95.
    pub confidence: f64,
}

impl WeightGoal {
    /// Whether a share, a tolerance and a confidence are what their names say.
    fn is_sound(&self) -> bool {
        (0.0..=1.0).contains(&self.canary_share)
            && (0.0..=1.0).contains(&self.tolerance)
            && self.confidence > 0.0
            && self.confidence < 1.0
    }

    fn band(&self) -> Interval {
        Interval::around(self.canary_share, self.tolerance)
    }
}

/// Passes when the whole Wilson interval of the canary's share lies in the tolerance band, fails when all of it lies
/// outside, and says so when the requests allow neither.
pub fn canary_weight(record: &TrafficRecord, goal: &WeightGoal) -> CheckResult {
    let tally = Tally::of(record);
    let interval = wilson(tally.canary, tally.answered, goal.confidence);
    let verdict = (!goal.is_sound())
        .then(|| inconclusive("the goal is no share with a tolerance and a confidence"))
        .or_else(|| tally.objection())
        .or_else(|| forbidden_backend(&tally, goal))
        .or_else(|| tally.sticky())
        .or_else(|| splits(goal).then(|| tally.pinned()).flatten())
        .unwrap_or_else(|| compare(&interval, &tally, goal));
    CANARY_WEIGHT.decided(
        verdict,
        facts(&tally, &interval, goal),
        evidence(record, &tally, &interval, goal),
    )
}

/// A backend of weight 0 gets nothing, whatever the tolerance (Gateway API, `HTTPBackendRef.weight`).
fn forbidden_backend(tally: &Tally, goal: &WeightGoal) -> Option<Verdict> {
    if goal.canary_share <= 0.0 && tally.canary > 0 {
        return Some(failed(format!(
            "the canary has weight 0 and answered {} requests",
            thousands(tally.canary)
        )));
    }
    let stable = tally.answered - tally.canary;
    (goal.canary_share >= 1.0 && stable > 0).then(|| {
        failed(format!(
            "the stable version has weight 0 and answered {} requests",
            thousands(stable)
        ))
    })
}

/// Whether both backends shall get requests.
fn splits(goal: &WeightGoal) -> bool {
    goal.canary_share > 0.0 && goal.canary_share < 1.0
}

fn compare(interval: &Interval, tally: &Tally, goal: &WeightGoal) -> Verdict {
    let band = goal.band();
    if interval.inside(&band) {
        Verdict::Passed
    } else if interval.outside(&band) {
        failed(format!(
            "{}, outside {}",
            measured(tally, interval, goal),
            band_text(goal)
        ))
    } else {
        inconclusive(format!(
            "{}, partly outside {}: more requests are needed",
            measured(tally, interval, goal),
            band_text(goal)
        ))
    }
}

fn measured(tally: &Tally, interval: &Interval, goal: &WeightGoal) -> String {
    format!(
        "the canary got {} of {} answers ({} interval {} to {})",
        percent(tally.share()),
        thousands(tally.answered),
        percent(goal.confidence),
        percent(interval.lower),
        percent(interval.upper)
    )
}

fn band_text(goal: &WeightGoal) -> String {
    format!(
        "{} ± {:.1} points",
        percent(goal.canary_share),
        goal.tolerance * 100.0
    )
}

fn facts(tally: &Tally, interval: &Interval, goal: &WeightGoal) -> Vec<Fact> {
    let share = format!(
        "{} of {} answers ({} Wilson interval {} to {})",
        percent(tally.share()),
        thousands(tally.answered),
        percent(goal.confidence),
        percent(interval.lower),
        percent(interval.upper)
    );
    let mut facts = vec![
        Fact::new("canary share", share),
        Fact::new("asked for", band_text(goal)),
    ];
    facts.extend(tally.facts());
    facts
}

fn evidence(
    record: &TrafficRecord,
    tally: &Tally,
    interval: &Interval,
    goal: &WeightGoal,
) -> Value {
    let mut evidence = tally.evidence();
    evidence["goal"] = json!({"share": goal.canary_share, "tolerance": goal.tolerance, "confidence": goal.confidence});
    evidence["share"] = json!(tally.share());
    evidence["interval"] = json!({"lower": interval.lower, "upper": interval.upper});
    evidence["overTime"] = json!(over_time(&record.samples));
    evidence
}

/// `[answers, canary answers]` of consecutive slices of the plan.
fn over_time(samples: &[Sample]) -> Vec<(usize, usize)> {
    let slice = samples.len().div_ceil(POINTS).max(1);
    let counts = |slice: &[Sample]| {
        let answered = slice.iter().filter(|sample| sample.failure.is_none());
        (
            answered.clone().count(),
            answered.filter(|sample| is_canary(sample)).count(),
        )
    };
    samples.chunks(slice).map(counts).collect()
}

#[cfg(test)]
mod tests;
