//! `traces`: waits for the spans of each task and looks at the tree they make.

use super::{Bench, StepError};
use crate::run::carried::Carried;
use crate::run::session::Session;
use crate::verify::Role;
use crate::verify::evidence::{Span, TaskTranscript, TraceEvidence};
use crate::verify::traces::{TracedTask, is_complete, plan_to_tool, restarted};
use std::time::Duration;

pub(super) async fn run(
    bench: &Bench<'_>,
    roles: &[Role],
    deadline: Duration,
    carried: &Carried,
) -> Result<(), StepError> {
    bench
        .each(roles, |session| follow(bench, session, deadline, carried))
        .await?;
    Ok(())
}

async fn follow(
    bench: &Bench<'_>,
    session: &Session,
    deadline: Duration,
    carried: &Carried,
) -> Result<(), StepError> {
    let missing = StepError::Order {
        what: "finished task",
        step: "tasks",
    };
    let transcripts = carried.transcripts.get(&session.role).ok_or(missing)?;
    let mut collected = Vec::new();
    for transcript in transcripts {
        collected.push(collect(session, transcript, deadline).await);
    }
    note_restarts(session, carried, &mut collected).await?;
    let pairs = transcripts.iter().zip(&collected);
    let tasks: Vec<_> = pairs
        .map(|(transcript, trace)| TracedTask { transcript, trace })
        .collect();
    bench.verdict(plan_to_tool(&tasks, session.cluster.uid()).on(&session.role));
    Ok(())
}

/// Only a trace that is not complete needs to be told why.
async fn note_restarts(
    session: &Session,
    carried: &Carried,
    collected: &mut [TraceEvidence],
) -> Result<(), StepError> {
    let before = carried.pods.get(&session.role);
    let Some(before) = before.filter(|_| collected.iter().any(|trace| trace.timed_out)) else {
        return Ok(());
    };
    let after = session.call(session.agent.describe().await)?.pods;
    let restarted = restarted(before, &after);
    for trace in collected {
        trace.restarted.clone_from(&restarted);
    }
    Ok(())
}

/// Waits until the trace proves the claim: then nothing that still comes can matter; else until the deadline.
async fn collect(
    session: &Session,
    transcript: &TaskTranscript,
    deadline: Duration,
) -> TraceEvidence {
    let uid = session.cluster.uid();
    let complete = |spans: &[Span]| is_complete(transcript, spans, uid);
    session
        .relay
        .spans()
        .wait_for(&transcript.trace_id, deadline, complete)
        .await
}
