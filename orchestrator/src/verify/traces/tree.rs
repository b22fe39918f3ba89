//! The spans of one trace, by id and by parent.

use crate::verify::evidence::{Span, SpanKind};
use portproof_proto::telemetry;
use std::collections::{BTreeMap, BTreeSet};

/// The spans of one trace, byte-equal duplicates dropped.
pub(super) struct Tree<'a> {
    /// Id of the orchestrator's span, the root of it all; it is not among the spans.
    pub(super) root: &'a str,
    /// Every distinct span, in the order of their start.
    pub(super) spans: Vec<&'a Span>,
    by_id: BTreeMap<&'a str, &'a Span>,
    children: BTreeMap<&'a str, Vec<&'a Span>>,
}

impl<'a> Tree<'a> {
    pub(super) fn new(root: &'a str, spans: impl Iterator<Item = &'a Span>) -> Self {
        let mut tree = Self {
            root,
            spans: Vec::new(),
            by_id: BTreeMap::new(),
            children: BTreeMap::new(),
        };
        for span in spans {
            if !tree.spans.contains(&span) {
                tree.spans.push(span);
            }
        }
        tree.spans
            .sort_by_key(|span| (span.start_ns, span.end_ns, &span.span_id));
        for span in &tree.spans {
            tree.by_id.insert(&span.span_id, span);
            tree.children
                .entry(&span.parent_span_id)
                .or_default()
                .push(span);
        }
        tree
    }

    /// The span of that id.
    pub(super) fn get(&self, id: &str) -> Option<&'a Span> {
        self.by_id.get(id).copied()
    }

    /// Spans whose parent has that id, by start.
    pub(super) fn children(&self, id: &str) -> &[&'a Span] {
        self.children.get(id).map_or(&[], Vec::as_slice)
    }

    /// Every span below that id, parents before children. Ends even where parents form a circle.
    pub(super) fn descendants(&self, id: &str) -> Vec<&'a Span> {
        let mut found: Vec<&'a Span> = self.children(id).to_vec();
        let mut seen: BTreeSet<&str> = found.iter().map(|span| span.span_id.as_str()).collect();
        let mut next = 0;
        while let Some(span) = found.get(next) {
            let children = self.children(&span.span_id).iter().copied();
            let new: Vec<_> = children
                .filter(|child| seen.insert(&child.span_id))
                .collect();
            found.extend(new);
            next += 1;
        }
        found
    }

    /// Whether a walk up from `span` ends at the orchestrator's span.
    pub(super) fn reaches_root(&self, span: &Span) -> bool {
        self.ancestors(span)
            .last()
            .map_or(span.parent_span_id.as_str(), |last| &last.parent_span_id)
            == self.root
    }

    /// The known ancestors of a span, nearest first. Ends even where parents form a circle.
    pub(super) fn ancestors(&self, span: &Span) -> Vec<&'a Span> {
        let mut found: Vec<&'a Span> = Vec::new();
        let mut parent = self.get(&span.parent_span_id);
        while let Some(ancestor) = parent.filter(|ancestor| !found.contains(ancestor)) {
            found.push(ancestor);
            parent = self.get(&ancestor.parent_span_id);
        }
        found
    }
}

/// `gen_ai.operation.name` of a span.
pub(super) fn operation(span: &Span) -> &str {
    span.text(telemetry::OPERATION).unwrap_or_default()
}

/// `service.name` of a span.
pub(super) fn service(span: &Span) -> &str {
    span.resource_text(telemetry::SERVICE_NAME)
        .unwrap_or_default()
}

/// Whether a span is one end of an MCP `tools/call`.
pub(super) fn is_tool_call(span: &Span, kind: SpanKind) -> bool {
    span.kind == kind && span.text(telemetry::MCP_METHOD) == Some(telemetry::TOOLS_CALL)
}
