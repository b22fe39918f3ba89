//! Events of a run, folded into the model of its reports.

use super::{CheckEntry, Cleanup, ClusterSummary, RunSummary, StepSummary};
use crate::run::event::{Event, EventKind, StepOutcome};
use crate::verify::{CheckResult, Role};
use jiff::Timestamp;

impl RunSummary {
    /// Folds the events of one run.
    pub fn of(events: &[Event]) -> Self {
        let mut summary = Self::default();
        for event in events {
            summary.add(event);
        }
        summary
            .clusters
            .sort_by(|one, other| one.role.cmp(&other.role));
        summary.checks.sort_by_cached_key(CheckEntry::place);
        summary
    }

    fn add(&mut self, event: &Event) {
        let offset_ms = self.offset_ms(event.at);
        self.elapsed_ms = self.elapsed_ms.max(offset_ms);
        match &event.kind {
            EventKind::RunStarted { .. } => self.start(event),
            EventKind::ClusterResolved { .. } => self.clusters.extend(cluster(&event.kind)),
            EventKind::StepStarted { step, roles } => self.start_step(step, roles, offset_ms),
            EventKind::StepProgress {
                step,
                role,
                message,
            } => self.progress(step, role.as_ref(), message),
            EventKind::CheckFinished { step, check } => self.check(step, check),
            EventKind::StepFinished {
                step,
                elapsed_ms,
                outcome,
            } => self.finish_step(step, offset_ms, *elapsed_ms, outcome),
            EventKind::Interrupted { signal } => {
                self.interrupted.get_or_insert_with(|| signal.clone());
            }
            EventKind::CleanupStarted => {}
            EventKind::CleanupFinished { .. } => self.cleanup = cleanup(&event.kind),
            EventKind::RunFinished {
                exit_code,
                elapsed_ms,
            } => {
                self.exit_code = Some(*exit_code);
                self.elapsed_ms = *elapsed_ms;
            }
        }
    }

    fn start(&mut self, event: &Event) {
        if let EventKind::RunStarted {
            run_id,
            version,
            scenario,
            description,
            scenario_digest,
            faults,
            ..
        } = &event.kind
        {
            self.run_id.clone_from(run_id);
            self.version.clone_from(version);
            self.scenario.clone_from(scenario);
            self.description.clone_from(description);
            self.scenario_digest.clone_from(scenario_digest);
            self.faults.clone_from(faults);
            self.started_at = Some(event.at);
        }
    }

    fn offset_ms(&self, at: Timestamp) -> u64 {
        self.started_at.map_or(0, |start| {
            u64::try_from(at.duration_since(start).as_millis()).unwrap_or_default()
        })
    }

    fn step(&mut self, id: &str) -> Option<&mut StepSummary> {
        self.steps.iter_mut().find(|step| step.id == id)
    }

    fn start_step(&mut self, id: &str, roles: &[Role], offset_ms: u64) {
        self.steps.push(StepSummary {
            id: id.to_owned(),
            roles: roles.to_vec(),
            offset_ms,
            elapsed_ms: 0,
            outcome: None,
            progress: Vec::new(),
        });
    }

    fn finish_step(&mut self, id: &str, offset_ms: u64, elapsed_ms: u64, outcome: &StepOutcome) {
        // A step that was skipped never began.
        if self.step(id).is_none() {
            self.start_step(id, &[], offset_ms);
        }
        if let Some(step) = self.step(id) {
            step.elapsed_ms = elapsed_ms;
            step.outcome = Some(outcome.clone());
        }
    }

    fn progress(&mut self, step: &str, role: Option<&Role>, message: &str) {
        let line = role.map_or_else(|| message.to_owned(), |role| format!("{role}: {message}"));
        if let Some(step) = self.step(step) {
            step.progress.push(line);
        }
    }

    fn check(&mut self, step: &str, check: &CheckResult) {
        *self.counts.of(&check.verdict) += 1;
        self.checks.push(CheckEntry {
            step: step.to_owned(),
            result: check.clone(),
        });
    }
}

fn cluster(kind: &EventKind) -> Option<ClusterSummary> {
    let EventKind::ClusterResolved {
        role,
        uid,
        kubernetes,
        provider,
        gateway_class,
    } = kind
    else {
        return None;
    };
    Some(ClusterSummary {
        role: role.clone(),
        uid: uid.clone(),
        kubernetes: kubernetes.clone(),
        provider: provider.clone(),
        gateway_class: gateway_class.clone(),
    })
}

fn cleanup(kind: &EventKind) -> Option<Cleanup> {
    let EventKind::CleanupFinished {
        removed,
        by_agent,
        left,
        draining,
        notes,
        elapsed_ms,
    } = kind
    else {
        return None;
    };
    Some(Cleanup {
        removed: *removed,
        by_agent: *by_agent,
        left: left.clone(),
        draining: draining.clone(),
        notes: notes.clone(),
        elapsed_ms: *elapsed_ms,
    })
}
