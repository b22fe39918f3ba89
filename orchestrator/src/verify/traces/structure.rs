//! Rules that hold for every trace, whatever it is about.

use super::finding::{Code, Finding};
use super::tree::{Tree, operation, service};
use crate::verify::evidence::{Span, SpanKind, TaskTranscript};
use crate::verify::measure::list;
use portproof_proto::names::Part;
use portproof_proto::telemetry;
use std::collections::{BTreeMap, BTreeSet};

/// How far two times of one pod may stand in the wrong order: wall clocks are read twice and may be stepped between.
pub(super) const CLOCK_STEP_NS: u64 = 5_000_000;

/// Spans that belong to the task and carry another trace id: whoever emitted them lost the context.
pub(super) fn split(spans: &[Span], task: &TaskTranscript) -> Vec<Finding> {
    let strangers = spans.iter().filter(|span| span.trace_id != task.trace_id);
    strangers
        .map(|span| {
            let message = format!(
                "`{}` of {} is in another trace, {}",
                span.name,
                service(span),
                span.trace_id
            );
            Finding::contradiction(Code::SplitTrace, message)
        })
        .collect()
}

/// One root, no orphans, no circles, unique ids, one cluster, possible times, honest statuses.
pub(super) fn check(tree: &Tree<'_>, cluster_uid: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(roots(tree));
    findings.extend(orphans(tree));
    findings.extend(identity(tree));
    findings.extend(reach(tree, cluster_uid));
    findings.extend(tree.spans.iter().filter_map(|span| time(span, tree)));
    findings.extend(tree.spans.iter().filter_map(|span| status(span)));
    findings.extend(tree.spans.iter().filter_map(|span| caller(span, tree)));
    findings
}

/// The orchestrator's span is the only root.
fn roots(tree: &Tree<'_>) -> Vec<Finding> {
    let mut findings: Vec<_> = tree
        .children("")
        .iter()
        .map(|span| {
            Finding::contradiction(
                Code::SingleRoot,
                format!("`{}` of {} is a second root", span.name, service(span)),
            )
        })
        .collect();
    if tree.children(tree.root).is_empty() {
        findings.push(Finding::missing(
            Code::Present,
            Part::Agent,
            "no span has the request as its parent",
        ));
    }
    findings
}

fn orphans(tree: &Tree<'_>) -> Vec<Finding> {
    let known = |id: &str| id.is_empty() || id == tree.root || tree.get(id).is_some();
    tree.spans
        .iter()
        .filter(|span| !known(&span.parent_span_id))
        .map(|span| {
            Finding::missing(
                Code::Orphan,
                None,
                format!(
                    "the parent of `{}` of {} is missing",
                    span.name,
                    service(span)
                ),
            )
        })
        .collect()
}

fn identity(tree: &Tree<'_>) -> Vec<Finding> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for span in &tree.spans {
        *seen.entry(&span.span_id).or_default() += 1;
    }
    let twice = seen.into_iter().filter(|(_, number)| *number > 1);
    let mut findings: Vec<_> = twice
        .map(|(id, _)| {
            Finding::contradiction(Code::Identity, format!("different spans share the id {id}"))
        })
        .collect();
    let circular = tree.spans.iter().find(|span| in_a_circle(tree, span));
    findings.extend(circular.map(|span| {
        Finding::contradiction(
            Code::Identity,
            format!("`{}` is its own ancestor", span.name),
        )
    }));
    findings
}

fn in_a_circle(tree: &Tree<'_>, span: &Span) -> bool {
    span.parent_span_id == span.span_id
        || tree
            .ancestors(span)
            .iter()
            .any(|ancestor| ancestor.span_id == span.span_id)
}

/// Every span comes from the cluster that was asked; the UID was read through that cluster's API, not from the spans.
fn reach(tree: &Tree<'_>, cluster_uid: &str) -> Option<Finding> {
    let foreign: BTreeSet<_> = tree
        .spans
        .iter()
        .filter(|span| span.resource_text(telemetry::CLUSTER_UID) != Some(cluster_uid))
        .map(|span| format!("`{}` of {}", span.name, service(span)))
        .collect();
    let names: Vec<_> = foreign.into_iter().collect();
    (!names.is_empty()).then(|| {
        Finding::contradiction(
            Code::Reach,
            format!(
                "{} does not name cluster {cluster_uid} as its origin",
                list(&names, 4)
            ),
        )
    })
}

/// A span ends after it began and, within one pod, begins after its parent.
fn time(span: &Span, tree: &Tree<'_>) -> Option<Finding> {
    if span.end_ns < span.start_ns {
        return Some(Finding::contradiction(
            Code::Time,
            format!("`{}` ends before it begins", span.name),
        ));
    }
    let pod = |span: &Span| span.resource_text(telemetry::POD_UID).map(str::to_owned);
    let parent = tree
        .get(&span.parent_span_id)
        .filter(|parent| pod(parent).is_some() && pod(parent) == pod(span))?;
    (span.start_ns.saturating_add(CLOCK_STEP_NS) < parent.start_ns).then(|| {
        Finding::contradiction(
            Code::Time,
            format!("`{}` begins before its parent `{}`", span.name, parent.name),
        )
    })
}

fn status(span: &Span) -> Option<Finding> {
    let typed = span.attributes.contains_key(telemetry::ERROR_TYPE);
    let problem = match (span.is_error, typed) {
        (true, false) => "has the status Error and no error.type",
        (false, true) => "has an error.type and not the status Error",
        _ => return None,
    };
    Some(Finding::contradiction(
        Code::Status,
        format!("`{}` of {} {problem}", span.name, service(span)),
    ))
}

/// Who serves a tool call was called: its parent is a CLIENT span of another process.
fn caller(span: &Span, tree: &Tree<'_>) -> Option<Finding> {
    let serves = span.kind == SpanKind::Server
        && (super::tree::is_tool_call(span, SpanKind::Server)
            || span.name.starts_with(telemetry::RUN_CODE));
    let parent = tree.get(&span.parent_span_id).filter(|_| serves)?;
    let called = parent.kind == SpanKind::Client && service(parent) != service(span);
    (!called).then(|| {
        let message = format!(
            "`{}` of {} hangs under `{}` of {}, which is not its caller",
            span.name,
            service(span),
            parent.name,
            service(parent)
        );
        Finding::contradiction(Code::PeerClosure, message)
    })
}

/// The nearest `invoke_agent` at or above a span.
pub(super) fn invocation<'a>(tree: &Tree<'a>, span: &Span) -> Option<&'a Span> {
    tree.ancestors(span)
        .into_iter()
        .find(|ancestor| operation(ancestor) == telemetry::INVOKE_AGENT)
}
