//! `gateway/canary-weight`: the measured share of the canary is the share the route asks for.

use super::connections::Connections;
use super::interval::{Interval, clopper_pearson, wilson};
use super::traffic::{Tally, is_canary};
use crate::verify::catalogue::{CANARY_WEIGHT, failed, inconclusive};
use crate::verify::evidence::{ByName, Sample, TrafficRecord};
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

/// What counts as one trial of the split. A gateway may choose for each request or for each connection; both serve the
/// weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trial {
    Request,
    Connection,
}

/// The canary's share with what it was measured on.
struct Measured<'a> {
    tally: &'a Tally,
    trial: Trial,
    interval: Interval,
}

/// Passes when the whole interval of the canary's share lies in the tolerance band, fails when all of it lies
/// outside, and says so when the trials allow neither.
pub fn canary_weight(record: &TrafficRecord, goal: &WeightGoal) -> CheckResult {
    let tally = Tally::of(record);
    let measured = Measured::of(&tally, goal);
    let verdict = (!goal.is_sound())
        .then(|| inconclusive("the goal is no share with a tolerance and a confidence"))
        .or_else(|| tally.objection())
        .or_else(|| forbidden_backend(&tally, goal))
        .or_else(|| splits(goal).then(|| tally.absent()).flatten())
        .or_else(|| tally.sticky())
        .or_else(|| record.by_name.and_then(absent))
        .unwrap_or_else(|| measured.verdict(goal));
    CANARY_WEIGHT.decided(
        verdict,
        facts(record, &measured, goal),
        evidence(record, &measured, goal),
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

/// A canary that cannot be reached by its name either says nothing about the weights.
fn absent(by_name: ByName) -> Option<Verdict> {
    (by_name.answered == 0).then(|| {
        inconclusive(format!(
            "the canary answered none of {} requests that asked for it by name either, so it may not be there",
            thousands(by_name.asked.into())
        ))
    })
}

impl Trial {
    /// Where both backends shall get requests and no connection met both, connections are counted: sixteen of them miss
    /// a canary of ten percent once in five times. A backend of weight 0 gets neither requests nor connections, so there
    /// each request is a trial.
    fn of(tally: &Tally, goal: &WeightGoal) -> Self {
        if splits(goal) && tally.connections.undivided {
            Self::Connection
        } else {
            Self::Request
        }
    }

    const fn plural(self) -> &'static str {
        match self {
            Self::Request => "requests",
            Self::Connection => "connections",
        }
    }
}

impl<'a> Measured<'a> {
    fn of(tally: &'a Tally, goal: &WeightGoal) -> Self {
        let trial = Trial::of(tally, goal);
        let Connections { canary, number, .. } = tally.connections;
        let interval = match trial {
            Trial::Request => wilson(tally.canary, tally.answered, goal.confidence),
            // Connections are few.
            Trial::Connection => clopper_pearson(canary, number, goal.confidence),
        };
        Self {
            tally,
            trial,
            interval,
        }
    }

    fn verdict(&self, goal: &WeightGoal) -> Verdict {
        let interval = match self.trial {
            Trial::Request => "interval",
            Trial::Connection => "interval of connections",
        };
        let (share, interval) = (self.share(), self.interval_text(interval, goal));
        let (band, asked) = (goal.band(), band_text(goal));
        if self.interval.inside(&band) {
            Verdict::Passed
        } else if self.interval.outside(&band) {
            failed(format!(
                "the canary got {share} ({interval}), outside {asked}"
            ))
        } else {
            inconclusive(format!(
                "the canary got {share} ({interval}), partly outside {asked}: more {} are needed",
                self.trial.plural()
            ))
        }
    }

    /// For example `10.1 % of 4,000 answers`.
    fn share(&self) -> String {
        let Tally {
            answered,
            connections,
            ..
        } = self.tally;
        let answers = format!(
            "{} of {} answers",
            percent(self.tally.share()),
            thousands(*answered)
        );
        match self.trial {
            Trial::Request => answers,
            Trial::Connection => format!(
                "{answers}, on {} of {} connections",
                thousands(connections.canary),
                thousands(connections.number)
            ),
        }
    }

    fn interval_text(&self, name: &str, goal: &WeightGoal) -> String {
        format!(
            "{} {name} {} to {}",
            percent(goal.confidence),
            percent(self.interval.lower),
            percent(self.interval.upper)
        )
    }
}

fn band_text(goal: &WeightGoal) -> String {
    format!(
        "{} ± {:.1} points",
        percent(goal.canary_share),
        goal.tolerance * 100.0
    )
}

fn facts(record: &TrafficRecord, measured: &Measured<'_>, goal: &WeightGoal) -> Vec<Fact> {
    let interval = match measured.trial {
        Trial::Request => "Wilson interval",
        Trial::Connection => "Clopper-Pearson interval of connections",
    };
    let share = format!(
        "{} ({})",
        measured.share(),
        measured.interval_text(interval, goal)
    );
    let mut facts = vec![
        Fact::new("canary share", share),
        Fact::new("asked for", band_text(goal)),
    ];
    facts.extend(record.by_name.map(|ByName { asked, answered }| {
        let text = format!(
            "it answered {} of {}",
            thousands(answered.into()),
            thousands(asked.into())
        );
        Fact::new("canary asked for by name", text)
    }));
    facts.extend(measured.tally.facts());
    facts
}

fn evidence(record: &TrafficRecord, measured: &Measured<'_>, goal: &WeightGoal) -> Value {
    let Measured {
        tally,
        trial,
        interval,
    } = measured;
    let mut evidence = tally.evidence();
    evidence["goal"] = json!({"share": goal.canary_share, "tolerance": goal.tolerance, "confidence": goal.confidence});
    evidence["share"] = json!(tally.share());
    evidence["trials"] = json!(trial.plural());
    evidence["interval"] = json!({"lower": interval.lower, "upper": interval.upper});
    evidence["byName"] = json!(record.by_name);
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
