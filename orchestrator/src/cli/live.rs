//! A run as it happens, line by line on standard error.

use super::printer::Printer;
use crate::run::dispatcher::Listener;
use crate::run::event::{Event, EventKind, StepOutcome};
use crate::verify::{CheckResult, Role};

/// Prints each event that is worth a line.
pub(super) struct Live {
    printer: Printer,
}

impl Live {
    pub(super) fn new(printer: Printer) -> Self {
        Self { printer }
    }
}

impl Listener for Live {
    fn on_event(&mut self, event: &Event) {
        if let Some(line) = line(&event.kind) {
            self.printer.text(&line);
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
        EventKind::Interrupted { signal } => {
            format!("{signal}: stopping and cleaning up; once more to stop at once")
        }
        EventKind::CleanupFinished {
            removed,
            left,
            elapsed_ms,
        } => {
            let left = if left.is_empty() {
                "nothing left".to_owned()
            } else {
                format!("left: {}", left.join("; "))
            };
            format!(
                "cleaned up {removed} objects in {}, {left}",
                seconds(*elapsed_ms)
            )
        }
        EventKind::RunFinished { .. } => return None,
    })
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
