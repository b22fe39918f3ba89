//! What a traffic record says before any rule looks at it: who answered, what failed, whether the plan was kept.

use super::connections::Connections;
use crate::verify::catalogue::{failed, inconclusive};
use crate::verify::evidence::{Sample, TrafficFailure, TrafficRecord};
use crate::verify::measure::{count, list, percent, thousands};
use crate::verify::{Fact, Verdict};
use portproof_proto::names::Part;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Share of the plan that may get lost in the generator before the record says nothing about the gateway.
const MAX_UNSENT: f64 = 0.01;
/// A request this late was not part of the plan any more. A share does not depend on a millisecond; a record in which
/// requests left a second late shows another load than the one asked for.
const LATE_NS: u64 = 1_000_000_000;
/// Counts over one record.
pub(super) struct Tally {
    pub(super) scheduled: u64,
    pub(super) answered: u64,
    pub(super) canary: u64,
    pub(super) unsent: u64,
    /// Samples beyond the plan: some were counted twice.
    pub(super) surplus: u64,
    pub(super) connections: Connections,
    pub(super) late: u64,
    pub(super) started_late: u64,
    pub(super) unattributed: u64,
    pub(super) by_backend: BTreeMap<String, u64>,
    pub(super) failures: BTreeMap<TrafficFailure, u64>,
    pub(super) statuses: BTreeMap<u16, u64>,
    pub(super) received: BTreeMap<String, u64>,
}

impl Tally {
    pub(super) fn of(record: &TrafficRecord) -> Self {
        let (scheduled, samples) = (u64::from(record.scheduled), record.samples.len() as u64);
        let mut tally = Self {
            scheduled,
            answered: 0,
            canary: 0,
            unsent: scheduled.saturating_sub(samples),
            surplus: samples.saturating_sub(scheduled),
            connections: Connections::of(&record.samples),
            late: 0,
            started_late: u64::from(record.started_late),
            unattributed: 0,
            by_backend: BTreeMap::new(),
            failures: BTreeMap::new(),
            statuses: BTreeMap::new(),
            received: record.received.clone(),
        };
        record.samples.iter().for_each(|sample| tally.add(sample));
        tally
    }

    fn add(&mut self, sample: &Sample) {
        match sample.failure {
            Some(TrafficFailure::Dropped) => self.unsent += 1,
            Some(failure) => self.add_failure(failure, sample.status),
            None => self.add_answer(sample),
        }
    }

    fn add_failure(&mut self, failure: TrafficFailure, status: Option<u16>) {
        *self.failures.entry(failure).or_default() += 1;
        if let (TrafficFailure::Status, Some(status)) = (failure, status) {
            *self.statuses.entry(status).or_default() += 1;
        }
    }

    fn add_answer(&mut self, sample: &Sample) {
        self.answered += 1;
        self.late += u64::from(sample.sent_ns.saturating_sub(sample.due_ns) > LATE_NS);
        self.canary += u64::from(is_canary(sample));
        match &sample.backend {
            Some(backend) => *self.by_backend.entry(backend.clone()).or_default() += 1,
            None => self.unattributed += 1,
        }
    }

    pub(super) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "request counts are far below 2^52"
    )]
    pub(super) fn share(&self) -> f64 {
        if self.answered == 0 {
            0.0
        } else {
            self.canary as f64 / self.answered as f64
        }
    }

    /// What makes the record useless or the claim false before shares are looked at, the strongest first.
    ///
    /// A status is the gateway's own word and counts in any case; connections and timeouts of a generator that could
    /// not keep up say nothing.
    pub(super) fn objection(&self) -> Option<Verdict> {
        if self.scheduled == 0 && self.surplus == 0 {
            return Some(inconclusive("no request was sent"));
        }
        if self.failures.contains_key(&TrafficFailure::Status) {
            return Some(failed(self.failure_sentence()));
        }
        if self.surplus > 0 {
            return Some(inconclusive(format!(
                "the record holds {} samples more than the plan has requests, so some count twice",
                thousands(self.surplus)
            )));
        }
        if self.saturated() {
            return Some(inconclusive(self.saturation_sentence()));
        }
        if self.unreached() {
            return Some(inconclusive(format!(
                "no request was answered, so the gateway may never have been reached: {}",
                self.taxonomy()
            )));
        }
        if self.failed() > 0 {
            return Some(failed(self.failure_sentence()));
        }
        self.misattribution()
    }

    /// Whether nothing shows that there is a gateway at the other end.
    fn unreached(&self) -> bool {
        let silent = |failure: &TrafficFailure| {
            matches!(
                failure,
                TrafficFailure::Connect | TrafficFailure::Reset | TrafficFailure::Timeout
            )
        };
        self.answered == 0 && self.failed() > 0 && self.failures.keys().all(silent)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "request counts are far below 2^52"
    )]
    fn saturated(&self) -> bool {
        (self.unsent + self.late) as f64 > self.scheduled as f64 * MAX_UNSENT
    }

    fn saturation_sentence(&self) -> String {
        format!(
            "the load generator was saturated: of {} requests {} were never sent and {} left more than a second late",
            thousands(self.scheduled),
            thousands(self.unsent),
            thousands(self.late)
        )
    }

    fn failure_sentence(&self) -> String {
        format!(
            "{} of {} requests failed: {}",
            thousands(self.failed()),
            thousands(self.scheduled),
            self.taxonomy()
        )
    }

    fn taxonomy(&self) -> String {
        let words: Vec<_> = self
            .failures
            .iter()
            .map(|(failure, number)| format!("{} {}", thousands(*number), self.name(*failure)))
            .collect();
        list(&words, 6)
    }

    fn name(&self, failure: TrafficFailure) -> String {
        let word = match failure {
            TrafficFailure::Connect => "without a connection",
            TrafficFailure::Reset => "reset",
            TrafficFailure::Timeout => "timed out",
            TrafficFailure::Protocol => "answered with something that is not HTTP",
            TrafficFailure::Dropped => "never sent",
            TrafficFailure::Status => "answered with a status outside 2xx",
        };
        let statuses: Vec<_> = self
            .statuses
            .iter()
            .map(|(status, number)| format!("{status}: {number}"))
            .collect();
        match failure {
            TrafficFailure::Status if !statuses.is_empty() => {
                format!("{word} ({})", list(&statuses, 6))
            }
            _ => word.to_owned(),
        }
    }

    fn misattribution(&self) -> Option<Verdict> {
        if self.unattributed > 0 {
            return Some(inconclusive(format!(
                "{} answers do not say which backend they came from",
                self.unattributed
            )));
        }
        let stranger = self.by_backend.keys().find(|backend| !is_model(backend));
        if let Some(stranger) = stranger {
            return Some(failed(format!(
                "the backend `{stranger}`, which is not part of the split, answered"
            )));
        }
        self.contradiction()
    }

    /// The backends count on their own; where they were asked, both counts must agree.
    fn contradiction(&self) -> Option<Verdict> {
        if self.received.is_empty() {
            return None;
        }
        let mut backends = self.by_backend.keys().chain(self.received.keys());
        backends.find_map(|backend| match self.received.get(backend) {
            None => Some(uncounted(backend)),
            Some(counted) if *counted == self.seen(backend) => None,
            Some(counted) => Some(inconclusive(format!(
                "clients saw {} answers of `{backend}`, which itself counted {}",
                thousands(self.seen(backend)),
                thousands(*counted)
            ))),
        })
    }

    /// Says so when a version was asked for its count and did not tell it: a version that was not there gets no requests,
    /// whatever the weights.
    pub(super) fn absent(&self) -> Option<Verdict> {
        let versions = [Part::ModelStable.name(), Part::ModelCanary.name()];
        let asked = !self.received.is_empty();
        let absent = versions
            .into_iter()
            .find(|version| asked && !self.received.contains_key(*version))?;
        Some(uncounted(absent))
    }

    fn seen(&self, backend: &str) -> u64 {
        self.by_backend.get(backend).copied().unwrap_or_default()
    }

    /// Says so when answers stick to connections: then requests are no independent trials.
    pub(super) fn sticky(&self) -> Option<Verdict> {
        let stickiness = self
            .connections
            .stickiness
            .as_ref()
            .filter(|stickiness| stickiness.is_no_chance())?;
        Some(inconclusive(format!(
            "the answers stick to the {} connections ({}), so the requests are not independent trials",
            self.connections.number,
            stickiness.odds()
        )))
    }

    pub(super) fn facts(&self) -> Vec<Fact> {
        let mut facts = vec![
            Fact::new("answers", self.answers_sentence()),
            Fact::new("failed requests", self.failed_fact()),
            Fact::new("generator", self.generator_fact()),
        ];
        if !self.received.is_empty() {
            let counts: Vec<_> = self
                .received
                .iter()
                .map(|(name, number)| format!("{name} {}", thousands(*number)))
                .collect();
            facts.push(Fact::new(
                "counted by the backends themselves",
                list(&counts, 6),
            ));
        }
        if let Some(stickiness) = &self.connections.stickiness {
            facts.push(Fact::new(
                "spread between connections",
                format!(
                    "χ² = {:.1} over {} connections, p = {:.3}",
                    stickiness.chi_squared, self.connections.number, stickiness.p
                ),
            ));
        }
        facts
    }

    fn answers_sentence(&self) -> String {
        let counts: Vec<_> = self
            .by_backend
            .iter()
            .map(|(name, number)| format!("{name} {}", thousands(*number)))
            .collect();
        format!(
            "{} of {} requests ({})",
            thousands(self.answered),
            thousands(self.scheduled),
            list(&counts, 4)
        )
    }

    fn failed_fact(&self) -> String {
        match self.failed() {
            0 => format!(
                "none; with 95 % confidence below {}",
                percent(super::upper_bound_of_none(self.answered))
            ),
            _ => self.taxonomy(),
        }
    }

    fn generator_fact(&self) -> String {
        let unsent = usize::try_from(self.unsent).unwrap_or(usize::MAX);
        format!(
            "{} not sent, {} more than 1 ms late, {} more than 1 s late",
            count(unsent, "request"),
            thousands(self.started_late),
            thousands(self.late)
        )
    }

    pub(super) fn evidence(&self) -> Value {
        json!({
            "scheduled": self.scheduled,
            "answered": self.answered,
            "canary": self.canary,
            "byBackend": self.by_backend,
            "received": self.received,
            "failures": self.failures.iter().map(|(failure, number)| (failure_key(*failure), *number)).collect::<BTreeMap<_, _>>(),
            "statuses": self.statuses,
            "unsent": self.unsent,
            "late": self.late,
            "startedLate": self.started_late,
            "unattributed": self.unattributed,
            "connections": self.connections.evidence(),
        })
    }
}

fn uncounted(backend: &str) -> Verdict {
    inconclusive(format!(
        "`{backend}` did not say how many requests it had: it may have been restarted, or not have been there"
    ))
}

/// Whether the canary answered.
pub(super) fn is_canary(sample: &Sample) -> bool {
    sample.backend.as_deref() == Some(Part::ModelCanary.name())
}

fn is_model(backend: &str) -> bool {
    [Part::ModelStable.name(), Part::ModelCanary.name()].contains(&backend)
}

const fn failure_key(failure: TrafficFailure) -> &'static str {
    match failure {
        TrafficFailure::Connect => "connect",
        TrafficFailure::Reset => "reset",
        TrafficFailure::Timeout => "timeout",
        TrafficFailure::Protocol => "protocol",
        TrafficFailure::Status => "status",
        TrafficFailure::Dropped => "dropped",
    }
}
