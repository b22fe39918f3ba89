//! `gateway/rollback`: after the weights went back, the canary gets nothing more and nobody noticed the change.

use super::traffic::{Tally, is_canary};
use crate::verify::catalogue::{ROLLBACK, failed, inconclusive};
use crate::verify::evidence::{Sample, SplitChange, TrafficFailure, TrafficRecord};
use crate::verify::measure::{duration_ns, thousands};
use crate::verify::{CheckResult, Fact, Verdict};
use serde_json::{Value, json};
use std::time::Duration;

/// Stable answers in a row that make a rollback certain: a share of one percent left on the canary would show in 459
/// requests with 99 % probability (0.99^459 = 0.01).
pub const CONFIRMATIONS: u64 = 459;
/// Number of time buckets in the evidence.
const BUCKETS: u64 = 100;

/// How soon a rollback must be complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollbackGoal {
    /// Longest time between the API server's answer and the sending of the last request that the canary serves.
    pub budget: Duration,
}

impl Default for RollbackGoal {
    /// Three seconds: gateways batch changes for up to two (Traefik's and HAProxy's default throttle), and the data
    /// plane needs well under one.
    fn default() -> Self {
        Self {
            budget: Duration::from_secs(3),
        }
    }
}

/// Where the canary was seen relative to the change.
struct Timeline {
    canary_before: u64,
    /// Send time of the last request the canary served after the acknowledgement, relative to it.
    last_canary_ns: Option<u64>,
    /// Canary answers to requests sent after the budget.
    canary_after_budget: u64,
    /// Stable answers to requests sent after both the acknowledgement and the last canary answer.
    confirmations: u64,
    /// How long after the acknowledgement the last request was sent.
    observed_ns: u64,
}

/// Passes when the canary was seen before the change, was last seen within the budget, [`CONFIRMATIONS`] stable answers
/// followed, and no request failed in the whole record.
pub fn rollback(record: &TrafficRecord, change: &SplitChange, goal: &RollbackGoal) -> CheckResult {
    let tally = Tally::of(record);
    let timeline = Timeline::of(&record.samples, change, goal);
    let verdict = tally
        .objection()
        .unwrap_or_else(|| judge(&timeline, change, goal));
    ROLLBACK.decided(
        verdict,
        facts(&tally, &timeline, goal),
        evidence(record, &tally, &timeline, change, goal),
    )
}

fn judge(timeline: &Timeline, change: &SplitChange, goal: &RollbackGoal) -> Verdict {
    if change.asked.1 != 0 {
        return inconclusive(format!(
            "the change asked for canary weight {}, which is no rollback",
            change.asked.1
        ));
    }
    if change.acknowledged_ns < change.sent_ns {
        return inconclusive(
            "the change was acknowledged before it was sent, so nothing is known to come after it",
        );
    }
    if timeline.canary_before == 0 {
        return inconclusive(
            "the canary was never seen before the rollback, so its absence afterwards proves nothing",
        );
    }
    if timeline.canary_after_budget > 0 {
        return failed(format!(
            "the canary still answered {} requests sent more than {} after the rollback, the last one {} after it",
            thousands(timeline.canary_after_budget),
            duration_ns(nanoseconds(goal.budget)),
            duration_ns(timeline.last_canary_ns.unwrap_or_default())
        ));
    }
    if timeline.confirmations < CONFIRMATIONS {
        return inconclusive(format!(
            "only {} stable answers in a row after the rollback; {CONFIRMATIONS} are needed to notice one percent left behind",
            thousands(timeline.confirmations)
        ));
    }
    Verdict::Passed
}

impl Timeline {
    fn of(samples: &[Sample], change: &SplitChange, goal: &RollbackGoal) -> Self {
        let acknowledged = change.acknowledged_ns;
        let deadline = acknowledged.saturating_add(nanoseconds(goal.budget));
        let canary = || {
            samples
                .iter()
                .filter(|sample| sample.failure.is_none() && is_canary(sample))
        };
        let last = canary()
            .map(|sample| sample.sent_ns)
            .filter(|sent| *sent > acknowledged)
            .max();
        let quiet_since = last.unwrap_or(acknowledged);
        let stable_after = samples.iter().filter(|sample| {
            sample.failure.is_none() && !is_canary(sample) && sample.sent_ns > quiet_since
        });
        Self {
            canary_before: canary()
                .filter(|sample| sample.sent_ns < change.sent_ns)
                .count() as u64,
            last_canary_ns: last.map(|sent| sent - acknowledged),
            canary_after_budget: canary().filter(|sample| sample.sent_ns > deadline).count() as u64,
            confirmations: stable_after.count() as u64,
            observed_ns: sent(samples)
                .map(|sample| sample.sent_ns.saturating_sub(acknowledged))
                .max()
                .unwrap_or_default(),
        }
    }
}

fn facts(tally: &Tally, timeline: &Timeline, goal: &RollbackGoal) -> Vec<Fact> {
    let last = timeline.last_canary_ns.map_or_else(
        || "no request sent after the rollback reached the canary".to_owned(),
        |after| format!("{} after the rollback", duration_ns(after)),
    );
    let mut facts = vec![
        Fact::new(
            "canary answers before the rollback",
            thousands(timeline.canary_before),
        ),
        Fact::new("last request the canary served", last),
        Fact::new("budget", duration_ns(nanoseconds(goal.budget))),
        Fact::new(
            "stable answers in a row since then",
            thousands(timeline.confirmations),
        ),
    ];
    facts.extend(tally.facts());
    facts
}

fn evidence(
    record: &TrafficRecord,
    tally: &Tally,
    timeline: &Timeline,
    change: &SplitChange,
    goal: &RollbackGoal,
) -> Value {
    let mut evidence = tally.evidence();
    evidence["asked"] = json!({"stable": change.asked.0, "canary": change.asked.1});
    evidence["canaryBefore"] = json!(timeline.canary_before);
    evidence["lastCanaryNs"] = json!(timeline.last_canary_ns);
    evidence["canaryAfterBudget"] = json!(timeline.canary_after_budget);
    evidence["confirmations"] = json!(timeline.confirmations);
    evidence["observedNs"] = json!(timeline.observed_ns);
    evidence["budgetNs"] = json!(nanoseconds(goal.budget));
    evidence["timeline"] = buckets(&record.samples, change);
    evidence
}

/// Answers by send time: the width of a bucket, when the change was sent and acknowledged relative to the first
/// request, and `[stable, canary, failed]` of each bucket.
fn buckets(samples: &[Sample], change: &SplitChange) -> Value {
    let start = sent(samples)
        .map(|sample| sample.sent_ns)
        .min()
        .unwrap_or_default();
    let end = sent(samples)
        .map(|sample| sample.sent_ns)
        .max()
        .unwrap_or_default();
    let width = ((end - start) / BUCKETS).max(1);
    let mut counts =
        vec![(0_u32, 0_u32, 0_u32); usize::try_from((end - start) / width + 1).unwrap_or(1)];
    for sample in sent(samples) {
        let index = usize::try_from((sample.sent_ns - start) / width).unwrap_or_default();
        if let Some(bucket) = counts.get_mut(index) {
            match sample.failure {
                Some(_) => bucket.2 += 1,
                None if is_canary(sample) => bucket.1 += 1,
                None => bucket.0 += 1,
            }
        }
    }
    json!({
        "widthNs": width,
        "changeSentNs": change.sent_ns.saturating_sub(start),
        "changeAcknowledgedNs": change.acknowledged_ns.saturating_sub(start),
        "buckets": counts,
    })
}

/// The requests that left the generator.
fn sent(samples: &[Sample]) -> impl Iterator<Item = &Sample> {
    samples
        .iter()
        .filter(|sample| sample.failure != Some(TrafficFailure::Dropped))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
