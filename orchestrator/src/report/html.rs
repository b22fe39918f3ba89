//! One self-contained page: no script, no font, no picture from elsewhere.

use super::attention::{Attention, Subject, advice, attention};
use super::chart;
use super::summary::{Cleanup, RunSummary, StepSummary};
use super::words::{evidence_class, seconds};
use crate::run::event::StepOutcome;
use crate::verify::{CheckResult, Fact, Role, Verdict};
use minijinja::Environment;
use minijinja::value::Serde;
use serde::Serialize;
use serde_json::Value;

const TEMPLATE: &str = include_str!("templates/report.html");

/// The page could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HtmlError {
    /// The template does not fit its data.
    #[error("the HTML report cannot be rendered")]
    Template(#[from] minijinja::Error),
    /// The evidence cannot be written as JSON.
    #[error("the evidence of a check cannot be written as JSON")]
    Evidence(#[from] serde_json::Error),
}

/// The run as one HTML page.
///
/// # Errors
/// See [`HtmlError`].
pub fn html(run: &RunSummary) -> Result<String, HtmlError> {
    let mut environment = Environment::new();
    // The extension of the name turns escaping on.
    environment.add_template("report.html", TEMPLATE)?;
    let columns = columns(run);
    let page = Page {
        run,
        headline: run.headline(),
        tone: tone(run),
        began: run
            .started_at
            .map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()),
        took: seconds(run.elapsed_ms),
        counts: run
            .counts
            .words()
            .into_iter()
            .map(|(word, count)| CountView {
                chip: chip(word),
                count,
            })
            .collect(),
        columns: columns
            .iter()
            .map(|column| column_name(column.as_ref()))
            .collect(),
        families: families(run, &columns)?,
        carried: carried(run),
        timeline: safe(chart::steps(&run.steps)),
        steps: run.steps.iter().map(StepView::of).collect(),
        cleanup: run.cleanup.as_ref().map(cleanup_sentence),
        attention: attention(run).into_iter().map(Into::into).collect(),
    };
    let text = environment
        .get_template("report.html")?
        .render(Serde(&page))?;
    Ok(text.replace(is_stray, " "))
}

/// Control characters of strangers show as boxes at best; line feeds are the template's own.
fn is_stray(letter: char) -> bool {
    letter.is_control() && letter != '\n'
}

/// Everything the template speaks of.
#[derive(Serialize)]
struct Page<'a> {
    run: &'a RunSummary,
    headline: String,
    tone: &'static str,
    began: Option<String>,
    took: String,
    counts: Vec<CountView>,
    columns: Vec<String>,
    families: Vec<FamilyView>,
    carried: Option<Carried>,
    timeline: minijinja::Value,
    steps: Vec<StepView<'a>>,
    cleanup: Option<String>,
    attention: Vec<AttentionView>,
}

/// How many checks reached a verdict.
#[derive(Serialize)]
struct CountView {
    chip: Chip,
    count: usize,
}

/// One line of what needs attention first.
#[derive(Serialize)]
struct AttentionView {
    chip: Chip,
    subject: String,
    anchor: Option<String>,
    place: String,
    reason: String,
    advice: String,
}

impl From<Attention> for AttentionView {
    fn from(it: Attention) -> Self {
        let (subject, anchor) = match it.subject {
            Subject::Check(id) => (id.clone(), Some(anchor(&id))),
            Subject::Step(id) => (format!("step {id}"), None),
            Subject::Run => ("the run".to_owned(), None),
            Subject::Cleanup => ("clean-up".to_owned(), None),
        };
        Self {
            chip: chip(it.word),
            subject,
            anchor,
            place: it.place,
            reason: it.reason,
            advice: it.advice,
        }
    }
}

/// Where a check stands on the page.
fn anchor(id: &str) -> String {
    id.replace('/', "-")
}

fn safe(markup: String) -> minijinja::Value {
    minijinja::Value::from_safe_string(markup)
}

/// Colour of the page's head.
fn tone(run: &RunSummary) -> &'static str {
    match run.counts.words().first() {
        Some(("failed", _)) => "failed",
        Some(("passed" | "not applicable", _)) if run.exit_code == Some(0) => "passed",
        _ => "unknown",
    }
}

/// A verdict as it stands in tables: a word, a sign, a class of the style sheet.
#[derive(Serialize)]
struct Chip {
    word: String,
    sign: &'static str,
    class: &'static str,
}

fn chip(word: &str) -> Chip {
    let (sign, class) = match word {
        "passed" => ("✓", "passed"),
        "failed" => ("✕", "failed"),
        "error" => ("!", "error"),
        "inconclusive" => ("?", "inconclusive"),
        "left behind" => ("!", "inconclusive"),
        "skipped" => ("–", "none"),
        _ => ("∅", "none"),
    };
    Chip {
        word: word.to_owned(),
        sign,
        class,
    }
}

/// Columns of the matrix: each role, and the verdicts over all clusters where there are any.
fn columns(run: &RunSummary) -> Vec<Option<Role>> {
    let across = run.checks.iter().any(|entry| entry.result.role.is_none());
    let roles = run
        .clusters
        .iter()
        .map(|cluster| Some(cluster.role.clone()));
    roles.chain(across.then_some(None)).collect()
}

fn column_name(column: Option<&Role>) -> String {
    column.map_or_else(|| "across".to_owned(), ToString::to_string)
}

#[derive(Serialize)]
struct FamilyView {
    name: String,
    checks: Vec<CheckView>,
}

#[derive(Serialize)]
struct CheckView {
    id: String,
    anchor: String,
    claim: String,
    level: &'static str,
    cells: Vec<Option<Chip>>,
    panels: Vec<Panel>,
    open: bool,
    wide: bool,
}

/// One verdict of a check, on one cluster or over all.
#[derive(Serialize)]
struct Panel {
    place: String,
    chip: Chip,
    reason: Option<String>,
    advice: Option<&'static str>,
    facts: Vec<Fact>,
    chart: Option<minijinja::Value>,
    class: &'static str,
    step: String,
    evidence: Option<String>,
}

fn families(run: &RunSummary, columns: &[Option<Role>]) -> Result<Vec<FamilyView>, HtmlError> {
    let mut families: Vec<FamilyView> = Vec::new();
    for id in run.ids() {
        let view = check_view(run, id, columns)?;
        let name = id.split('/').next().unwrap_or(id);
        match families.iter_mut().find(|family| family.name == name) {
            Some(family) => family.checks.push(view),
            None => families.push(FamilyView {
                name: name.to_owned(),
                checks: vec![view],
            }),
        }
    }
    Ok(families)
}

fn check_view(
    run: &RunSummary,
    id: &str,
    columns: &[Option<Role>],
) -> Result<CheckView, HtmlError> {
    let entries: Vec<_> = run
        .checks
        .iter()
        .filter(|entry| entry.result.id == id)
        .collect();
    let first = entries.first().map(|entry| &entry.result);
    Ok(CheckView {
        id: id.to_owned(),
        anchor: anchor(id),
        claim: first.map_or_else(String::new, |check| check.claim.clone()),
        level: first.map_or("", |check| check.level.word()),
        cells: columns
            .iter()
            .map(|column| {
                run.verdict(id, column.as_ref())
                    .map(|verdict| chip(verdict.word()))
            })
            .collect(),
        panels: entries
            .iter()
            .map(|entry| panel(&entry.result, &entry.step))
            .collect::<Result<_, _>>()?,
        open: entries
            .iter()
            .any(|entry| entry.result.verdict != Verdict::Passed),
        wide: chart::is_wide(id),
    })
}

fn panel(check: &CheckResult, step: &str) -> Result<Panel, HtmlError> {
    let evidence = (!check.evidence.is_null())
        .then(|| serde_json::to_string_pretty(&check.evidence))
        .transpose()?;
    Ok(Panel {
        place: check.role.as_ref().map_or_else(
            || "across clusters".to_owned(),
            |role| format!("cluster {role}"),
        ),
        chip: chip(check.verdict.word()),
        reason: check.verdict.reason().map(str::to_owned),
        advice: advice(check),
        facts: check.facts.clone(),
        chart: chart::of(check).map(safe),
        class: evidence_class(check.evidence_class),
        step: step.to_owned(),
        evidence,
    })
}

/// What went from one cluster to the other, for the arrow between the cluster cards.
#[derive(Serialize)]
struct Carried {
    objects: usize,
    tools: usize,
    digest: String,
    chip: Chip,
}

fn carried(run: &RunSummary) -> Option<Carried> {
    let check = run
        .checks
        .iter()
        .map(|entry| &entry.result)
        .find(|check| check.id == "portability/import-identical")?;
    let source = check.evidence.get("source")?;
    let digest = source.get("digest").and_then(Value::as_str)?;
    Some(Carried {
        objects: source
            .get("objects")
            .and_then(Value::as_array)
            .map_or(0, Vec::len),
        tools: source
            .get("tools")
            .and_then(Value::as_object)
            .map_or(0, serde_json::Map::len),
        digest: digest.chars().take("sha256:".len() + 12).collect(),
        chip: chip(check.verdict.word()),
    })
}

/// A step with what it said, for the list below the timeline.
#[derive(Serialize)]
struct StepView<'a> {
    id: &'a str,
    roles: Vec<String>,
    trouble: Option<&'a str>,
    progress: &'a [String],
}

impl<'a> StepView<'a> {
    fn of(step: &'a StepSummary) -> Self {
        let trouble = match &step.outcome {
            Some(StepOutcome::Completed) => None,
            Some(StepOutcome::Error { message }) => Some(message.as_str()),
            Some(StepOutcome::Skipped { reason }) => Some(reason.as_str()),
            None => Some("the run ended before the step did"),
        };
        Self {
            id: &step.id,
            roles: step.roles.iter().map(ToString::to_string).collect(),
            trouble,
            progress: &step.progress,
        }
    }
}

fn cleanup_sentence(cleanup: &Cleanup) -> String {
    let mut parts = vec![format!(
        "{} objects removed in {}",
        cleanup.removed_in_all(),
        seconds(cleanup.elapsed_ms)
    )];
    if cleanup.by_agent > 0 {
        parts.push(cleanup.shares());
    }
    parts.push(match cleanup.left.as_slice() {
        [] => "nothing left behind".to_owned(),
        left => format!("left behind: {}", left.join(", ")),
    });
    if !cleanup.draining.is_empty() {
        parts.push(format!(
            "still ending by itself: {}",
            cleanup.draining.join(", ")
        ));
    }
    parts.extend(cleanup.notes.iter().cloned());
    parts.join("; ")
}
