//! A trace in the form reports draw it from: spans in tree order, times relative to the first.

use super::tree::{Tree, service};
use crate::verify::evidence::{Span, SpanKind};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Spans in the order they are drawn, each with its depth; those without a path to the root come last.
pub(super) fn rows(tree: &Tree<'_>) -> Vec<Value> {
    let start = tree
        .spans
        .iter()
        .map(|span| span.start_ns)
        .min()
        .unwrap_or_default();
    let mut drawn = BTreeSet::new();
    let mut rows = Vec::new();
    let mut pending: Vec<(&Span, usize)> = tree
        .children(tree.root)
        .iter()
        .rev()
        .map(|span| (*span, 0))
        .collect();
    while let Some((span, depth)) = pending.pop() {
        if drawn.insert(&span.span_id) {
            rows.push(row(span, depth, start));
            pending.extend(
                tree.children(&span.span_id)
                    .iter()
                    .rev()
                    .map(|child| (*child, depth + 1)),
            );
        }
    }
    rows.extend(
        tree.spans
            .iter()
            .filter(|span| !drawn.contains(&span.span_id))
            .map(|span| {
                let mut row = row(span, 0, start);
                row["detached"] = json!(true);
                row
            }),
    );
    rows
}

fn row(span: &Span, depth: usize, start: u64) -> Value {
    let kind = match span.kind {
        SpanKind::Internal => "internal",
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Other => "other",
    };
    json!({
        "name": span.name,
        "service": service(span),
        "kind": kind,
        "depth": depth,
        "offsetUs": span.start_ns.saturating_sub(start) / 1_000,
        "durationUs": span.end_ns.saturating_sub(span.start_ns) / 1_000,
        "error": span.is_error,
    })
}
