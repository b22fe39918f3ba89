//! The report for machines.

use super::summary::RunSummary;
use serde::Serialize;

/// Version of the JSON report.
pub const FORMAT: &str = "portproof.dev/report/v1";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    format: &'static str,
    headline: String,
    #[serde(flatten)]
    run: &'a RunSummary,
}

/// The whole run as one JSON document.
///
/// # Errors
/// When a number of the evidence cannot be written as JSON.
pub fn json(run: &RunSummary) -> Result<String, serde_json::Error> {
    let report = Report {
        format: FORMAT,
        headline: run.headline(),
        run,
    };
    serde_json::to_string_pretty(&report).map(|text| text + "\n")
}
