//! Charts as inline SVG, drawn from the evidence of the checks. Colours come from the page's style sheet, so that they
//! follow light and dark mode; text of strangers is escaped.

mod rollback;
mod share;
mod steps;
mod svg;
mod waterfall;

pub(super) use steps::steps;

use crate::verify::CheckResult;

/// The chart of a check; `None` where its evidence has none.
pub(super) fn of(check: &CheckResult) -> Option<String> {
    match check.id.as_str() {
        "gateway/canary-weight" => share::share(&check.evidence),
        "gateway/rollback" => rollback::rollback(&check.evidence),
        "traces/plan-to-tool" => waterfall::waterfalls(&check.evidence),
        _ => None,
    }
}

/// Whether the chart of a check needs the whole width of the page.
pub(super) fn is_wide(id: &str) -> bool {
    id == "traces/plan-to-tool"
}
