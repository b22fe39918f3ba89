//! What may explain a missing span besides a trace context that was dropped.

use super::finding::{Bearing, Finding};
use super::plan_to_tool::Examined;
use super::tree::service;
use crate::verify::measure::{list, thousands};
use portproof_proto::names::Part;
use std::collections::BTreeSet;

/// The parts of the stack whose spans a trace needs.
const NEEDED: [Part; 3] = [Part::Agent, Part::ToolGateway, Part::Interpreter];

/// Reasons to doubt that everything that was sent has arrived.
pub(super) struct Doubts {
    /// Batches known to be lost. Each trace carries the count of its whole cluster.
    pub(super) lost: u64,
    interrupted: bool,
    /// Needed parts of which no span arrived, of any trace: they may not be able to send any.
    silent: Vec<Part>,
}

impl Doubts {
    pub(super) fn of(examined: &[Examined<'_>]) -> Self {
        let traces = || examined.iter().map(|task| task.task.trace);
        let heard: BTreeSet<&str> = traces()
            .flat_map(|trace| {
                let names = trace.heard.iter().map(String::as_str);
                names.chain(trace.spans.iter().map(service))
            })
            .collect();
        Self {
            lost: traces()
                .map(|trace| trace.lost_batches)
                .max()
                .unwrap_or_default(),
            interrupted: traces().any(|trace| trace.interrupted),
            silent: NEEDED
                .into_iter()
                .filter(|part| !heard.contains(part.name()))
                .collect(),
        }
    }

    /// Whether a finding of that task may have another reason than a fault of the stack.
    pub(super) fn explain(&self, task: &Examined<'_>, finding: &Finding) -> bool {
        let silent = match finding.bearing {
            Bearing::Contradicts => return false,
            Bearing::Undecided => return true,
            Bearing::Missing(Some(part)) => self.silent.contains(&part),
            Bearing::Missing(None) => !self.silent.is_empty(),
        };
        silent || task.task.trace.lost_batches > 0 || task.task.trace.interrupted
    }

    /// What the doubts rest on, empty where there are none.
    pub(super) fn sentence(&self) -> String {
        let lost = match self.lost {
            0 => None,
            1 => Some("1 batch of spans was lost".to_owned()),
            lost => Some(format!("{} batches of spans were lost", thousands(lost))),
        };
        let interrupted = self
            .interrupted
            .then(|| "the relay of spans broke off and nothing has come since".to_owned());
        let silent = (!self.silent.is_empty()).then(|| {
            let names: Vec<_> = self.silent.iter().map(|part| part.name()).collect();
            format!("no span of {} arrived in any trace", list(&names, 3))
        });
        let known: Vec<_> = [lost, interrupted, silent].into_iter().flatten().collect();
        known.join(", ")
    }
}
