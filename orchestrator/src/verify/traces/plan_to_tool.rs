//! `traces/plan-to-tool`: any request can be followed from the agent's plan to the tool call.

use super::calls::{self, INTERPRETED_TOOL};
use super::doubts::Doubts;
use super::finding::{Bearing, Finding};
use super::structure;
use super::tree::{Tree, service};
use super::waterfall;
use crate::verify::catalogue::{PLAN_TO_TOOL, failed, inconclusive};
use crate::verify::evidence::{Span, TaskTranscript, TraceEvidence};
use crate::verify::measure::{count, list};
use crate::verify::{CheckResult, Fact, Verdict};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Most findings named in the reason; all of them are in the evidence.
const NAMED: usize = 3;

/// A task and the trace it left.
#[derive(Clone, Copy, Debug)]
pub struct TracedTask<'a> {
    /// What the agent reported.
    pub transcript: &'a TaskTranscript,
    /// The spans that arrived.
    pub trace: &'a TraceEvidence,
}

/// One task with everything found in its trace.
pub(super) struct Examined<'a> {
    pub(super) task: TracedTask<'a>,
    tree: Tree<'a>,
    findings: Vec<Finding>,
}

/// Passes when the trace of every task is one tree under the orchestrator's span, with plan, model request and both ends
/// of every tool call the agent reported, down to the interpreter's process, all of the cluster `cluster_uid`.
///
/// Spans that contradict the claim fail it. Missing spans fail it as well, unless something else than a dropped context
/// may explain them: batches that were lost, a relay that broke off, a part of the stack that was never heard or restarted.
pub fn plan_to_tool(tasks: &[TracedTask<'_>], cluster_uid: &str) -> CheckResult {
    let examined: Vec<_> = tasks
        .iter()
        .map(|task| Examined::of(*task, cluster_uid))
        .collect();
    let evidence = json!({
        "clusterUid": cluster_uid,
        "tasks": examined.iter().map(Examined::evidence).collect::<Vec<_>>(),
    });
    PLAN_TO_TOOL.decided(
        judge(&examined, cluster_uid),
        facts(&examined, cluster_uid),
        evidence,
    )
}

/// Whether the spans that have arrived leave nothing missing, so that waiting for more is pointless.
pub fn is_complete(transcript: &TaskTranscript, spans: &[Span], cluster_uid: &str) -> bool {
    let trace = TraceEvidence {
        spans: spans.to_vec(),
        ..TraceEvidence::default()
    };
    let examined = Examined::of(
        TracedTask {
            transcript,
            trace: &trace,
        },
        cluster_uid,
    );
    examined.gaps().next().is_none()
}

impl<'a> Examined<'a> {
    fn of(task: TracedTask<'a>, cluster_uid: &str) -> Self {
        let TracedTask { transcript, trace } = task;
        let own = trace
            .spans
            .iter()
            .filter(|span| span.trace_id == transcript.trace_id);
        let tree = Tree::new(&transcript.root_span_id, own);
        let mut findings = structure::split(&trace.spans, transcript);
        findings.extend(structure::check(&tree, cluster_uid));
        findings.extend(calls::check(&tree, transcript));
        Self {
            task,
            tree,
            findings,
        }
    }

    fn contradictions(&self) -> impl Iterator<Item = &Finding> {
        let findings = self.findings.iter();
        findings.filter(|finding| finding.bearing == Bearing::Contradicts)
    }

    fn gaps(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.is_gap())
    }

    fn sentence(&self, finding: &Finding) -> String {
        format!("{finding} (task `{}`)", self.task.transcript.task_id)
    }

    fn evidence(&self) -> Value {
        let Self {
            task: TracedTask { transcript, trace },
            tree,
            findings,
        } = self;
        json!({
            "task": transcript.task_id,
            "traceId": transcript.trace_id,
            "calls": transcript.calls.len(),
            "lostBatches": trace.lost_batches,
            "interrupted": trace.interrupted,
            "heard": trace.heard,
            "restarted": trace.restarted,
            "timedOut": trace.timed_out,
            "findings": findings.iter().map(|finding| json!({
                "code": finding.code, "missing": finding.is_gap(), "message": finding.message,
            })).collect::<Vec<_>>(),
            "spans": waterfall::rows(tree),
        })
    }
}

fn judge(examined: &[Examined<'_>], cluster_uid: &str) -> Verdict {
    if cluster_uid.is_empty() {
        return inconclusive("the cluster has no identity, so no span is known to be of it");
    }
    if let Some(reason) = nothing_to_follow(examined) {
        return inconclusive(reason);
    }
    let contradictions: Vec<_> = examined
        .iter()
        .flat_map(|task| task.contradictions().map(|finding| task.sentence(finding)))
        .collect();
    if !contradictions.is_empty() {
        return failed(list(&contradictions, NAMED));
    }
    let doubts = Doubts::of(examined);
    let open = |explained: bool| -> Vec<String> {
        let found = examined
            .iter()
            .flat_map(|task| task.findings.iter().map(move |finding| (task, finding)));
        found
            .filter(|(task, finding)| doubts.explain(task, finding) == explained)
            .map(|(task, finding)| task.sentence(finding))
            .collect()
    };
    let (unexplained, explained) = (open(false), open(true));
    // A gap that nothing explains is a context that was dropped.
    match (unexplained.is_empty(), explained.is_empty()) {
        (true, true) => Verdict::Passed,
        (false, _) => failed(list(&unexplained, NAMED)),
        (true, false) => {
            let findings = list(&explained, NAMED);
            inconclusive(match doubts.sentence().as_str() {
                "" => findings,
                doubts => format!("{doubts}, and {findings}"),
            })
        }
    }
}

fn nothing_to_follow(examined: &[Examined<'_>]) -> Option<String> {
    let calls = || examined.iter().flat_map(|task| &task.task.transcript.calls);
    if calls().next().is_none() {
        return Some("no task made a tool call, so there is no chain to follow".to_owned());
    }
    if examined.iter().all(|task| task.task.trace.spans.is_empty()) {
        return Some("no span of any task arrived, so the relay may be broken".to_owned());
    }
    let interpreted = calls().any(|call| call.tool == INTERPRETED_TOOL);
    (!interpreted).then(|| {
        format!(
            "no task called {INTERPRETED_TOOL}, so the last process of the chain was not reached"
        )
    })
}

fn facts(examined: &[Examined<'_>], cluster_uid: &str) -> Vec<Fact> {
    let calls: usize = examined
        .iter()
        .map(|task| task.task.transcript.calls.len())
        .sum();
    let spans: usize = examined.iter().map(|task| task.tree.spans.len()).sum();
    let services: BTreeSet<_> = examined
        .iter()
        .flat_map(|task| task.tree.spans.iter().map(|span| service(span)))
        .collect();
    let waited = examined
        .iter()
        .filter(|task| task.task.trace.timed_out)
        .count();
    let mut facts = vec![
        Fact::new(
            "followed",
            format!(
                "{} of {}",
                count(calls, "tool call"),
                count(examined.len(), "task")
            ),
        ),
        Fact::new("spans", spans),
        Fact::new(
            "processes",
            list(&services.into_iter().collect::<Vec<_>>(), 12),
        ),
        Fact::new("cluster", cluster_uid),
        Fact::new("lost batches", Doubts::of(examined).lost),
        Fact::new("waits that ended by their deadline", waited),
    ];
    let findings = examined
        .iter()
        .flat_map(|task| task.findings.iter().map(|finding| task.sentence(finding)));
    facts.extend(
        findings
            .take(20)
            .map(|finding| Fact::new("finding", finding)),
    );
    facts
}

#[cfg(test)]
mod tests;
