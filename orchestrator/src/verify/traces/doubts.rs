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
    /// Parts of which a process ended before its time, by name.
    restarted: BTreeSet<String>,
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
            restarted: traces()
                .flat_map(|trace| trace.restarted.iter().cloned())
                .collect(),
        }
    }

    /// Whether a finding of that task may have another reason than a fault of the stack.
    pub(super) fn explain(&self, task: &Examined<'_>, finding: &Finding) -> bool {
        let suspected = match finding.bearing {
            Bearing::Contradicts => return false,
            Bearing::Undecided => return true,
            Bearing::Missing(Some(part)) => self.suspects(part),
            Bearing::Missing(None) => !(self.silent.is_empty() && self.restarted.is_empty()),
        };
        suspected || task.task.trace.lost_batches > 0 || task.task.trace.interrupted
    }

    /// Whether spans of a part may have been lost. All of them go through the control agent, which holds them until they are
    /// fetched.
    fn suspects(&self, part: Part) -> bool {
        let ended = |part: Part| self.restarted.contains(part.name());
        self.silent.contains(&part) || ended(part) || ended(Part::Control)
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
        let silent: Vec<_> = self.silent.iter().map(|part| part.name()).collect();
        let silent = named(&silent).map(|parts| format!("no span of {parts} arrived in any trace"));
        let restarted: Vec<_> = self.restarted.iter().collect();
        let restarted = named(&restarted).map(|parts| {
            format!("a process of {parts} ended on the way, with what it had not sent yet")
        });
        let known = [lost, interrupted, silent, restarted];
        known.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

fn named<T: AsRef<str>>(parts: &[T]) -> Option<String> {
    (!parts.is_empty()).then(|| list(parts, NEEDED.len()))
}
