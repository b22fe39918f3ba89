//! The report in a terminal: what went wrong first, with its reason and facts, then the whole matrix.

use super::attention::advice;
use super::summary::RunSummary;
use super::words::{evidence_class, plain, seconds, severity};
use crate::run::event::StepOutcome;
use crate::verify::{CheckResult, Role, Verdict};
use comfy_table::{ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle};
use std::fmt::Write as _;

/// How the terminal wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalStyle {
    /// Whether to use colours; words always say the same.
    pub color: bool,
    /// Width in columns.
    pub width: u16,
}

impl Default for TerminalStyle {
    fn default() -> Self {
        Self {
            color: false,
            width: 100,
        }
    }
}

/// Width below which a table says nothing any more.
const NARROWEST: u16 = 44;

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const FAINT: &str = "2";

/// The report as text with a line feed at the end.
pub fn terminal(run: &RunSummary, style: TerminalStyle) -> String {
    let mut out = String::new();
    header(run, style, &mut out);
    trouble(run, style, &mut out);
    if !run.checks.is_empty() {
        out.push_str(&matrix(run, style));
        out.push('\n');
    }
    footer(run, style, &mut out);
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

fn header(run: &RunSummary, style: TerminalStyle, out: &mut String) {
    line(
        out,
        &format!("{} · run {}", plain(&run.scenario), plain(&run.run_id)),
    );
    line(out, &plain(&run.description));
    if !run.faults.is_empty() {
        let faults = format!("broken on purpose: {}", plain(&run.faults.join(", ")));
        line(out, &painted(&faults, YELLOW, style));
    }
    for cluster in &run.clusters {
        let text = format!(
            "  {}  {} · Kubernetes {} · Gateway {} · {}",
            cluster.role, cluster.provider, cluster.kubernetes, cluster.gateway_class, cluster.uid
        );
        line(out, &painted(&plain(&text), FAINT, style));
    }
    out.push('\n');
}

/// Everything that is not a pass: what was proven to fail, then steps that broke off, then what is not decided.
fn trouble(run: &RunSummary, style: TerminalStyle, out: &mut String) {
    let mut checks: Vec<_> = run.with(|verdict| *verdict != Verdict::Passed).collect();
    checks.sort_by_key(|check| severity(&check.verdict));
    let failed = checks.partition_point(|check| matches!(check.verdict, Verdict::Failed { .. }));
    let (failed, undecided) = checks.split_at(failed);
    for check in failed {
        explain(check, style, out);
    }
    for step in &run.steps {
        if let Some(StepOutcome::Error { message }) = &step.outcome {
            line(
                out,
                &format!("{} step {}", painted("ERROR", RED, style), plain(&step.id)),
            );
            line(out, &format!("  {}\n", plain(message)));
        }
    }
    for check in undecided {
        explain(check, style, out);
    }
}

fn explain(check: &CheckResult, style: TerminalStyle, out: &mut String) {
    let word = check.verdict.word().to_uppercase();
    let place = check
        .role
        .as_ref()
        .map_or_else(String::new, |role| format!(" on {role}"));
    let word = painted(&word, color(&check.verdict), style);
    line(
        out,
        &format!(
            "{word} {}{place} ({}, evidence: {})",
            plain(&check.id),
            check.level.word(),
            evidence_class(check.evidence_class)
        ),
    );
    line(out, &format!("  claim: {}", plain(&check.claim)));
    line(
        out,
        &format!("  {}", plain(check.verdict.reason().unwrap_or_default())),
    );
    if let Some(advice) = advice(check) {
        line(out, &format!("  next: {advice}"));
    }
    let widest = check
        .facts
        .iter()
        .map(|fact| fact.label.chars().count())
        .max()
        .unwrap_or_default();
    for fact in &check.facts {
        line(
            out,
            &format!("    {:widest$}  {}", plain(&fact.label), plain(&fact.value)),
        );
    }
    out.push('\n');
}

/// Checks by rows, clusters by columns; verdicts over all clusters have a column of their own.
fn matrix(run: &RunSummary, style: TerminalStyle) -> String {
    let roles: Vec<&Role> = run.clusters.iter().map(|cluster| &cluster.role).collect();
    let across = run.checks.iter().any(|entry| entry.result.role.is_none());
    let rule = LineStyle::none().fill('─').junction('─');
    let mut table = Table::new();
    table
        .load_style(TableStyle::new().header_separator(rule).bottom_border(rule))
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(style.width.max(NARROWEST));
    let mut header = vec!["check".to_owned()];
    header.extend(roles.iter().map(ToString::to_string));
    header.extend(across.then(|| "across".to_owned()));
    table.set_header(header);
    for id in run.ids() {
        let mut row = vec![plain(id)];
        row.extend(roles.iter().map(|role| cell(run, id, Some(role))));
        row.extend(across.then(|| cell(run, id, None)));
        table.add_row(row);
    }
    // Where the terminal is narrow ids may break, verdicts may not.
    for column in table.column_iter_mut().skip(1) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    // Escape sequences go in after the layout: they have no width.
    table
        .lines()
        .map(|row| color_words(&row, style))
        .collect::<Vec<_>>()
        .join("\n")
}

fn cell(run: &RunSummary, id: &str, role: Option<&Role>) -> String {
    run.verdict(id, role)
        .map_or_else(|| "·".to_owned(), |verdict| verdict.word().to_owned())
}

fn color_words(row: &str, style: TerminalStyle) -> String {
    let words = [
        ("passed", GREEN),
        ("failed", RED),
        ("error", RED),
        ("inconclusive", YELLOW),
        ("skipped", YELLOW),
    ];
    words
        .into_iter()
        .fold(format!("{} ", row.trim_end()), |row, (word, code)| {
            row.replace(
                &format!(" {word} "),
                &format!(" {} ", painted(word, code, style)),
            )
        })
        .trim_end()
        .to_owned()
}

fn footer(run: &RunSummary, style: TerminalStyle, out: &mut String) {
    let counts: Vec<_> = run
        .counts
        .words()
        .into_iter()
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    if !counts.is_empty() {
        line(
            out,
            &format!("\n{} in {}", counts.join(", "), seconds(run.elapsed_ms)),
        );
    }
    if let Some(cleanup) = &run.cleanup {
        cleaned(cleanup, style, out);
    }
    let code = match run.counts {
        counts if counts.failed > 0 => RED,
        _ if run.exit_code == Some(0) => GREEN,
        _ => YELLOW,
    };
    line(out, &painted(&plain(&run.headline()), code, style));
}

fn cleaned(cleanup: &super::Cleanup, style: TerminalStyle, out: &mut String) {
    line(
        out,
        &format!(
            "cleaned up: {} objects removed in {}",
            cleanup.removed_in_all(),
            seconds(cleanup.elapsed_ms)
        ),
    );
    if cleanup.by_agent > 0 {
        line(out, &format!("  {}", cleanup.shares()));
    }
    for draining in &cleanup.draining {
        line(
            out,
            &format!("  still ending by itself: {}", plain(draining)),
        );
    }
    for note in &cleanup.notes {
        line(out, &format!("  {}", plain(note)));
    }
    if cleanup.left.is_empty() {
        return;
    }
    line(
        out,
        &painted("clean-up left something behind:", YELLOW, style),
    );
    for left in &cleanup.left {
        line(out, &format!("  {}", plain(left)));
    }
}

const fn color(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => GREEN,
        Verdict::Failed { .. } | Verdict::Error { .. } => RED,
        Verdict::Inconclusive { .. } | Verdict::Skipped { .. } | Verdict::NotApplicable { .. } => {
            YELLOW
        }
    }
}

fn painted(text: &str, code: &str, style: TerminalStyle) -> String {
    let mut painted = String::with_capacity(text.len() + 12);
    // Writing into a String cannot fail.
    let _ = if style.color {
        write!(painted, "\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        write!(painted, "{text}")
    };
    painted
}
