//! Traces as waterfalls: one row a span, indented by depth, coloured by process.

use super::svg::{Anchor, Svg, escape, number, ticks};
use serde_json::Value;
use std::fmt::Write as _;

const WIDTH: f64 = 1080.0;
const LEFT: f64 = 400.0;
const RIGHT: f64 = 1000.0;
const ROW: f64 = 20.0;
const TOP: f64 = 26.0;
/// Number of colours in the style sheet.
const COLORS: usize = 7;

struct Row {
    name: String,
    service: String,
    depth: f64,
    offset: f64,
    duration: f64,
    error: bool,
    detached: bool,
}

/// One picture a task, each under its name.
pub(super) fn waterfalls(evidence: &Value) -> Option<String> {
    let mut page = String::new();
    for task in evidence.get("tasks")?.as_array()? {
        let name = task.get("task").and_then(Value::as_str).unwrap_or_default();
        let trace = task
            .get("traceId")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let rows: Vec<_> = task.get("spans")?.as_array()?.iter().map(Row::of).collect();
        // Writing into a String cannot fail.
        let _ = write!(
            page,
            r#"<figure class="trace"><figcaption>task <b>{}</b> <span class="mono faint">trace {}</span></figcaption>{}</figure>"#,
            escape(name),
            escape(trace),
            waterfall(&rows)
        );
    }
    (!page.is_empty()).then_some(page)
}

impl Row {
    fn of(span: &Value) -> Self {
        let text = |key: &str| {
            span.get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let number = |key: &str| span.get(key).and_then(Value::as_f64).unwrap_or_default();
        let flag = |key: &str| span.get(key).and_then(Value::as_bool).unwrap_or_default();
        Self {
            name: text("name"),
            service: text("service"),
            depth: number("depth").min(14.0),
            offset: number("offsetUs"),
            duration: number("durationUs"),
            error: flag("error"),
            detached: flag("detached"),
        }
    }
}

fn waterfall(rows: &[Row]) -> String {
    let length = rows
        .iter()
        .map(|row| row.offset + row.duration)
        .fold(1.0, f64::max);
    let x = |microseconds: f64| LEFT + (RIGHT - LEFT) * microseconds / length;
    #[expect(clippy::cast_precision_loss, reason = "a few dozen rows")]
    let height = TOP + rows.len() as f64 * ROW + 6.0;
    let mut svg = Svg::new(WIDTH, height, "the spans of the trace, by start");
    for tick in ticks(length / 1e3, 6) {
        svg.line(
            "grid",
            (x(tick * 1e3), TOP - 6.0),
            (x(tick * 1e3), height - 4.0),
        );
        svg.text(
            "tick",
            (x(tick * 1e3), TOP - 12.0),
            Anchor::Middle,
            &format!("{} ms", number(tick)),
        );
    }
    let services = services(rows);
    let mut y = TOP;
    for row in rows {
        draw(
            &mut svg,
            row,
            y,
            (x(row.offset), x(row.offset + row.duration)),
            color(&services, row),
        );
        y += ROW;
    }
    svg.finish()
}

fn draw(svg: &mut Svg, row: &Row, y: f64, (from, to): (f64, f64), color: usize) {
    let indent = 6.0 + row.depth * 13.0;
    let flag = if row.detached { " (not connected)" } else { "" };
    let tone = if row.error || row.detached {
        "span-name bad"
    } else {
        "span-name"
    };
    if row.depth > 0.0 {
        svg.line("branch", (indent - 7.0, y + 2.0), (indent - 7.0, y + 11.0));
        svg.line("branch", (indent - 7.0, y + 11.0), (indent - 2.0, y + 11.0));
    }
    svg.text(
        tone,
        (indent, y + 14.5),
        Anchor::Start,
        &format!("{}{flag}", row.name),
    );
    svg.text("tick", (LEFT - 10.0, y + 14.5), Anchor::End, &row.service);
    let class = if row.error {
        "span failed".to_owned()
    } else {
        format!("span c{color}")
    };
    let duration = milliseconds(row.duration);
    svg.bar(
        &class,
        (from, y + 4.0),
        (to - from, ROW - 7.0),
        &format!("{} of {}: {duration}", row.name, row.service),
    );
    svg.text(
        "tick",
        (to.max(from + 1.5) + 6.0, y + 14.5),
        Anchor::Start,
        &duration,
    );
}

/// Processes in the order they first occur; each keeps its colour.
fn services(rows: &[Row]) -> Vec<&str> {
    let mut services: Vec<&str> = Vec::new();
    for row in rows {
        if !services.contains(&row.service.as_str()) {
            services.push(&row.service);
        }
    }
    services
}

fn color(services: &[&str], row: &Row) -> usize {
    services
        .iter()
        .position(|service| *service == row.service)
        .unwrap_or_default()
        % COLORS
}

fn milliseconds(microseconds: f64) -> String {
    match microseconds {
        under if under < 1e3 => format!("{under:.0} µs"),
        under if under < 1e4 => format!("{:.1} ms", under / 1e3),
        over => format!("{:.0} ms", over / 1e3),
    }
}
