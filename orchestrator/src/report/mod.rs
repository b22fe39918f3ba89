//! Reports: everything is rendered from the event log, so a report can be made again at any time, also after a crash.
//!
//! [`summary`] folds the events into one model; every format is a function of it. What clusters and users wrote is
//! untrusted text in each of them.

mod attention;
mod chart;
mod exit;
mod html;
mod json;
mod junit;
mod summary;
mod terminal;
mod words;

pub use exit::{ExitPolicy, exit};
pub use html::{HtmlError, html};
pub use json::{FORMAT, json};
pub use junit::{JunitError, junit};
pub use summary::{CheckEntry, Cleanup, ClusterSummary, Counts, RunSummary, StepSummary};
pub use terminal::{TerminalStyle, terminal};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
