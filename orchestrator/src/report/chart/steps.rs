//! The steps over time.

use super::super::summary::StepSummary;
use super::super::words::seconds;
use super::svg::{Anchor, Svg, number, ticks};
use crate::run::event::StepOutcome;

const WIDTH: f64 = 1080.0;
const LEFT: f64 = 170.0;
const RIGHT: f64 = 980.0;
const ROW: f64 = 24.0;
const TOP: f64 = 26.0;

/// One row a step.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of a run and a few dozen rows"
)]
pub(crate) fn steps(steps: &[StepSummary]) -> String {
    let end = steps
        .iter()
        .map(|step| step.offset_ms + step.elapsed_ms)
        .max()
        .unwrap_or_default()
        .max(1) as f64;
    let x = |milliseconds: f64| LEFT + (RIGHT - LEFT) * milliseconds / end;
    let height = TOP + steps.len() as f64 * ROW + 6.0;
    let mut svg = Svg::new(WIDTH, height, "the steps of the run over time");
    for tick in ticks(end / 1e3, 8) {
        svg.line(
            "grid",
            (x(tick * 1e3), TOP - 6.0),
            (x(tick * 1e3), height - 4.0),
        );
        svg.text(
            "tick",
            (x(tick * 1e3), TOP - 12.0),
            Anchor::Middle,
            &format!("{} s", number(tick)),
        );
    }
    let mut y = TOP;
    for step in steps {
        let (from, to) = (
            x(step.offset_ms as f64),
            x((step.offset_ms + step.elapsed_ms) as f64),
        );
        svg.text("span-name", (6.0, y + 16.0), Anchor::Start, &step.id);
        let roles: Vec<_> = step.roles.iter().map(ToString::to_string).collect();
        svg.text(
            "tick",
            (LEFT - 12.0, y + 16.0),
            Anchor::End,
            &roles.join(" "),
        );
        let (class, note) = state(step);
        svg.bar(
            class,
            (from, y + 4.0),
            (to - from, ROW - 9.0),
            &format!("{}: {note}", step.id),
        );
        svg.text("tick", (to + 6.0, y + 16.0), Anchor::Start, &note);
        y += ROW;
    }
    svg.finish()
}

fn state(step: &StepSummary) -> (&'static str, String) {
    match &step.outcome {
        Some(StepOutcome::Completed) => ("span c0", seconds(step.elapsed_ms)),
        Some(StepOutcome::Error { .. }) => (
            "span failed",
            format!("error after {}", seconds(step.elapsed_ms)),
        ),
        Some(StepOutcome::Skipped { .. }) => ("span none", "skipped".to_owned()),
        None => ("span none", "did not end".to_owned()),
    }
}
