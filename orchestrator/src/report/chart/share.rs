//! The canary's share: the interval against the tolerance band, and the share over time below it.

use super::svg::{Anchor, Svg, number, ticks};
use serde_json::Value;

const WIDTH: f64 = 540.0;
const LEFT: f64 = 40.0;
const RIGHT: f64 = 525.0;

struct Shares {
    share: f64,
    lower: f64,
    upper: f64,
    goal: f64,
    tolerance: f64,
    over_time: Vec<(f64, f64)>,
}

pub(super) fn share(evidence: &Value) -> Option<String> {
    let shares = Shares::of(evidence)?;
    let mut svg = Svg::new(
        WIDTH,
        222.0,
        "the canary's share with its interval, against the tolerance band, and over time",
    );
    interval(&mut svg, &shares);
    over_time(&mut svg, &shares);
    Some(svg.finish())
}

impl Shares {
    fn of(evidence: &Value) -> Option<Self> {
        let number = |pointer: &str| evidence.pointer(pointer).and_then(Value::as_f64);
        let slices = evidence.get("overTime")?.as_array()?;
        let pair = |slice: &Value| Some((slice.get(0)?.as_f64()?, slice.get(1)?.as_f64()?));
        Some(Self {
            share: number("/share")?,
            lower: number("/interval/lower")?,
            upper: number("/interval/upper")?,
            goal: number("/goal/share")?,
            tolerance: number("/goal/tolerance")?,
            over_time: slices.iter().filter_map(pair).collect(),
        })
    }

    fn slice_shares(&self) -> impl Iterator<Item = f64> {
        self.over_time.iter().map(|(answers, canary)| {
            if *answers > 0.0 {
                canary / answers
            } else {
                0.0
            }
        })
    }

    fn band(&self) -> (f64, f64) {
        (
            (self.goal - self.tolerance).max(0.0),
            (self.goal + self.tolerance).min(1.0),
        )
    }
}

/// The interval as a bar on a percentage axis, with the band it must lie in.
fn interval(svg: &mut Svg, shares: &Shares) {
    let (low, high) = shares.band();
    let maximum = (high.max(shares.upper) * 1.25).min(1.0);
    let at = |share: f64| LEFT + (RIGHT - LEFT) * share / maximum;
    svg.rect("band", (at(low), 22.0), (at(high) - at(low), 38.0));
    svg.line("goal", (at(shares.goal), 22.0), (at(shares.goal), 60.0));
    svg.text(
        "note",
        (f64::midpoint(at(low), at(high)), 15.0),
        Anchor::Middle,
        &format!("asked for {}", points(shares.goal, shares.tolerance)),
    );
    svg.line(
        "interval",
        (at(shares.lower), 41.0),
        (at(shares.upper), 41.0),
    );
    for end in [shares.lower, shares.upper] {
        svg.line("interval", (at(end), 35.0), (at(end), 47.0));
    }
    svg.circle("point", (at(shares.share), 41.0), 4.5);
    let beside = at(high.max(shares.upper)) + 8.0;
    let anchor = if beside > RIGHT - 60.0 {
        Anchor::End
    } else {
        Anchor::Start
    };
    let x = if beside > RIGHT - 60.0 {
        at(low.min(shares.lower)) - 8.0
    } else {
        beside
    };
    svg.text("strong", (x, 45.0), anchor, &percent(shares.share));
    svg.line("axis", (LEFT, 60.0), (RIGHT, 60.0));
    for tick in ticks(maximum * 100.0, 7) {
        svg.line("axis", (at(tick / 100.0), 60.0), (at(tick / 100.0), 64.0));
        svg.text(
            "tick",
            (at(tick / 100.0), 76.0),
            Anchor::Middle,
            &format!("{} %", number(tick)),
        );
    }
}

/// One bar a slice of the plan.
fn over_time(svg: &mut Svg, shares: &Shares) {
    const TOP: f64 = 112.0;
    const BOTTOM: f64 = 196.0;
    let (low, high) = shares.band();
    let highest = shares.slice_shares().fold(high, f64::max);
    let maximum = (highest * 1.1).clamp(0.01, 1.0);
    let y = |share: f64| BOTTOM - (BOTTOM - TOP) * share / maximum;
    svg.text(
        "note",
        (LEFT, TOP - 8.0),
        Anchor::Start,
        "share in each slice of the load",
    );
    svg.rect("band", (LEFT, y(high)), (RIGHT - LEFT, y(low) - y(high)));
    let mut x = LEFT;
    #[expect(clippy::cast_precision_loss, reason = "a few dozen slices")]
    let width = (RIGHT - LEFT) / shares.over_time.len().max(1) as f64;
    for (share, (answers, canary)) in shares.slice_shares().zip(&shares.over_time) {
        svg.bar(
            "slice",
            (x + 1.0, y(share)),
            (width - 2.0, BOTTOM - y(share)),
            &format!("{canary:.0} of {answers:.0} answers"),
        );
        x += width;
    }
    svg.line("goal", (LEFT, y(shares.goal)), (RIGHT, y(shares.goal)));
    svg.line("axis", (LEFT, BOTTOM), (RIGHT, BOTTOM));
    for tick in ticks(maximum * 100.0, 3) {
        svg.text(
            "tick",
            (LEFT - 6.0, y(tick / 100.0) + 3.5),
            Anchor::End,
            &format!("{} %", number(tick)),
        );
    }
    svg.text(
        "tick",
        (LEFT, BOTTOM + 16.0),
        Anchor::Start,
        "first request",
    );
    svg.text("tick", (RIGHT, BOTTOM + 16.0), Anchor::End, "last request");
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn points(share: f64, tolerance: f64) -> String {
    format!(
        "{} ± {} %",
        number(share * 100.0),
        number(tolerance * 100.0)
    )
}
