//! A rollback over time: who answered what was sent when, and when the weights went back.

use super::svg::{Anchor, Svg, number, ticks};
use serde_json::Value;

const WIDTH: f64 = 540.0;
const LEFT: f64 = 40.0;
const RIGHT: f64 = 525.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 150.0;

struct Timeline {
    width_ns: f64,
    acknowledged_ns: f64,
    budget_ns: f64,
    last_canary_ns: Option<f64>,
    /// Stable, canary, failed.
    buckets: Vec<[f64; 3]>,
}

pub(super) fn rollback(evidence: &Value) -> Option<String> {
    let timeline = Timeline::of(evidence)?;
    let mut svg = Svg::new(
        WIDTH,
        196.0,
        "answers by the time their request was sent, before and after the rollback",
    );
    change(&mut svg, &timeline);
    bars(&mut svg, &timeline);
    marks(&mut svg, &timeline);
    legend(&mut svg);
    Some(svg.finish())
}

impl Timeline {
    fn of(evidence: &Value) -> Option<Self> {
        let number = |pointer: &str| evidence.pointer(pointer).and_then(Value::as_f64);
        let count = |bucket: &Value, index: usize| {
            bucket
                .get(index)
                .and_then(Value::as_f64)
                .unwrap_or_default()
        };
        let buckets = evidence.pointer("/timeline/buckets")?.as_array()?;
        Some(Self {
            width_ns: number("/timeline/widthNs")?,
            acknowledged_ns: number("/timeline/changeAcknowledgedNs")?,
            budget_ns: number("/budgetNs")?,
            last_canary_ns: number("/lastCanaryNs"),
            buckets: buckets
                .iter()
                .map(|bucket| [0, 1, 2].map(|index| count(bucket, index)))
                .collect(),
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "a few hundred buckets")]
    fn length_ns(&self) -> f64 {
        (self.buckets.len() as f64 * self.width_ns).max(1.0)
    }

    fn x(&self, nanoseconds: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * (nanoseconds / self.length_ns()).clamp(0.0, 1.0)
    }
}

/// The time the rollback may take.
fn change(svg: &mut Svg, timeline: &Timeline) {
    let (from, to) = (
        timeline.x(timeline.acknowledged_ns),
        timeline.x(timeline.acknowledged_ns + timeline.budget_ns),
    );
    svg.rect("band", (from, TOP), (to - from, BOTTOM - TOP));
    svg.text(
        "tick",
        (to - 4.0, TOP + 11.0),
        Anchor::End,
        &format!("budget {:.1} s", timeline.budget_ns / 1e9),
    );
}

/// Canary and failed answers stand on the axis and have at least three pixels: one of them must be seen.
fn bars(svg: &mut Svg, timeline: &Timeline) {
    let highest = timeline
        .buckets
        .iter()
        .map(|bucket| bucket.iter().sum::<f64>())
        .fold(1.0, f64::max);
    let height = |count: f64| (BOTTOM - TOP - 16.0) * count / highest;
    let seen = |count: f64| {
        if count > 0.0 {
            height(count).max(3.0)
        } else {
            0.0
        }
    };
    let width = (timeline.x(timeline.width_ns) - LEFT).max(1.0);
    let mut start = 0.0;
    for [stable, canary, failed] in &timeline.buckets {
        let x = timeline.x(start);
        let (canary_height, failed_height) = (seen(*canary), seen(*failed));
        let stable_height = height(*stable);
        svg.rect(
            "stable",
            (x, BOTTOM - canary_height - failed_height - stable_height),
            (width - 0.6, stable_height),
        );
        svg.rect(
            "canary",
            (x, BOTTOM - canary_height - failed_height),
            (width - 0.6, canary_height),
        );
        svg.rect(
            "failed",
            (x, BOTTOM - failed_height),
            (width - 0.6, failed_height),
        );
        start += timeline.width_ns;
    }
}

fn marks(svg: &mut Svg, timeline: &Timeline) {
    let acknowledged = timeline.x(timeline.acknowledged_ns);
    svg.line("mark", (acknowledged, TOP - 6.0), (acknowledged, BOTTOM));
    svg.text(
        "note",
        (acknowledged, TOP - 12.0),
        Anchor::Middle,
        "weights set back",
    );
    if let Some(last) = timeline.last_canary_ns {
        let x = timeline.x(timeline.acknowledged_ns + last);
        svg.line("last", (x, TOP), (x, BOTTOM));
        svg.text(
            "note canary-text",
            (x + 5.0, TOP + 26.0),
            Anchor::Start,
            &format!("last canary +{}", duration(last)),
        );
    }
    svg.line("axis", (LEFT, BOTTOM), (RIGHT, BOTTOM));
    let seconds = timeline.length_ns() / 1e9;
    for tick in ticks(seconds, 7) {
        svg.text(
            "tick",
            (timeline.x(tick * 1e9), BOTTOM + 14.0),
            Anchor::Middle,
            &format!("{} s", number(tick)),
        );
    }
}

fn legend(svg: &mut Svg) {
    for (x, class, word) in [
        (LEFT, "stable", "stable"),
        (LEFT + 70.0, "canary", "canary"),
        (LEFT + 145.0, "failed", "failed"),
    ] {
        svg.rect(class, (x, BOTTOM + 28.0), (10.0, 10.0));
        svg.text("tick", (x + 15.0, BOTTOM + 37.0), Anchor::Start, word);
    }
}

fn duration(nanoseconds: f64) -> String {
    if nanoseconds < 1e9 {
        format!("{:.0} ms", nanoseconds / 1e6)
    } else {
        format!("{:.2} s", nanoseconds / 1e9)
    }
}
