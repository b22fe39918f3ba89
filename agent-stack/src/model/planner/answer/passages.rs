//! Answers from documents.

use super::super::finding::{Finding, Hit};
use crate::model::engine::Engine;

/// The passage that holds every word of the question; without one, what is missing.
pub(super) fn answer(findings: &[Finding], engine: Engine) -> String {
    let hits: Vec<_> = findings
        .iter()
        .filter_map(Finding::hits)
        .flatten()
        .collect();
    let Some(closest) = hits.first() else {
        return "Nothing was found that answers the question.".to_owned();
    };
    match hits.iter().find(|hit| hit.missing().is_empty()) {
        Some(hit) => quote(*hit, engine),
        None => not_said(*closest),
    }
}

fn quote(hit: Hit<'_>, engine: Engine) -> String {
    let passage = hit.text("passage").unwrap_or_default();
    let title = hit.text("title").filter(|_| engine == Engine::RefPlannerV2);
    match (title, hit.text("document")) {
        (Some(title), _) => format!("\"{title}\" says: {passage}"),
        (None, Some(document)) => format!("{passage} [{document}]"),
        (None, None) => passage.to_owned(),
    }
}

/// A passage that lacks a word of the question is about something else; quoting it would pass for an answer.
fn not_said(closest: Hit<'_>) -> String {
    let document = closest.text("document").unwrap_or("a document");
    format!(
        "I cannot answer this from the documents: no passage has {} with the rest of the question. The closest is in \
         {document}.",
        quoted(&closest.missing())
    )
}

/// Words in quotation marks.
pub(super) fn quoted(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    quoted.join(" and ")
}
