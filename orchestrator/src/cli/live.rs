//! A run as it happens, line by line on standard error.

use super::printer::{Printer, tame};
use crate::run::dispatcher::Listener;
use crate::run::event::{Event, EventKind, StepOutcome};
use crate::verify::{CheckResult, Role};

/// Prints each event that is worth a line.
pub(super) struct Live {
    printer: Printer,
    interrupted: bool,
}

impl Live {
    pub(super) fn new(printer: Printer) -> Self {
        Self {
            printer,
            interrupted: false,
        }
    }
}

impl Listener for Live {
    fn on_event(&mut self, event: &Event) {
        let line = match &event.kind {
            EventKind::Interrupted { signal } => Some(self.interrupted_by(signal)),
            kind => line(kind),
        };
        if let Some(line) = line {
            self.printer.text(&tame(&line));
        }
    }
}

impl Live {
    fn interrupted_by(&mut self, signal: &str) -> String {
        if std::mem::replace(&mut self.interrupted, true) {
            format!("{signal} again: stopping at once, without cleaning up")
        } else {
            format!("{signal}: stopping and cleaning up; once more to stop at once")
        }
    }
}

fn line(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::RunStarted {
            run_id,
            scenario,
            faults,
            ..
        } => {
            let broken = if faults.is_empty() {
                String::new()
            } else {
                format!(", broken on purpose: {}", faults.join(", "))
            };
            format!("run {run_id}: {scenario}{broken}")
        }
        EventKind::ClusterResolved {
            role,
            kubernetes,
            provider,
            gateway_class,
            ..
        } => {
            format!("  {role}  Kubernetes {kubernetes} ({provider}), gateway {gateway_class}")
        }
        EventKind::StepStarted { step, roles } => format!("{step} on {}", words(roles)),
        EventKind::StepProgress { role, message, .. } => match role {
            Some(role) => format!("  {role}  {message}"),
            None => format!("     {message}"),
        },
        EventKind::CheckFinished { check, .. } => verdict(check),
        EventKind::StepFinished {
            step,
            elapsed_ms,
            outcome,
        } => match outcome {
            StepOutcome::Completed => format!("{step} done in {}", seconds(*elapsed_ms)),
            StepOutcome::Error { message } => {
                format!("{step} failed after {}: {message}", seconds(*elapsed_ms))
            }
            StepOutcome::Skipped { reason } => format!("{step} skipped: {reason}"),
        },
        EventKind::CleanupStarted => "cleaning up".to_owned(),
        EventKind::CleanupFinished { .. } => cleaned(kind)?,
        EventKind::Interrupted { .. } | EventKind::RunFinished { .. } => return None,
    })
}

fn cleaned(kind: &EventKind) -> Option<String> {
    let EventKind::CleanupFinished {
        removed,
        by_agent,
        left,
        draining,
        elapsed_ms,
        ..
    } = kind
    else {
        return None;
    };
    let left = match left.as_slice() {
        [] => "nothing left".to_owned(),
        left => format!("left: {}", left.join("; ")),
    };
    let draining = match draining.as_slice() {
        [] => String::new(),
        draining => format!(", still ending by itself: {}", draining.join("; ")),
    };
    Some(format!(
        "cleaned up {} objects in {}, {left}{draining}",
        removed + by_agent,
        seconds(*elapsed_ms)
    ))
}

fn verdict(check: &CheckResult) -> String {
    let role = check.role.as_ref().map_or("  ", Role::as_str);
    let reason = check
        .verdict
        .reason()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    format!(
        "  {role:<2} {} {}{reason}",
        check.id,
        check.verdict.word().to_uppercase()
    )
}

fn words(roles: &[Role]) -> String {
    roles
        .iter()
        .map(Role::as_str)
        .collect::<Vec<_>>()
        .join(" and ")
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of a run are far below 2^52"
)]
fn seconds(milliseconds: u64) -> String {
    format!("{:.1} s", milliseconds as f64 / 1000.0)
}
