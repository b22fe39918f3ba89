//! `tasks`: the same work for the agent of each cluster.

use super::{Bench, StepError};
use crate::rpc::TaskOrder;
use crate::run::carried::Carried;
use crate::run::session::Session;
use crate::run::trace_id;
use crate::scenario::Task;
use crate::verify::Role;
use crate::verify::evidence::TaskTranscript;
use crate::verify::portability::{self, OutputGoal};

pub(super) async fn run(
    bench: &Bench<'_>,
    roles: &[Role],
    items: &[Task],
    carried: &mut Carried,
) -> Result<(), StepError> {
    let done = bench
        .each(roles, |session| work(bench, session, items))
        .await?;
    if let Some(source) = &carried.source {
        for (role, transcripts) in &done {
            bench.verdict(portability::tools_discovered(source, transcripts).on(role));
        }
    }
    if let [(_, one), (_, other), ..] = done.as_slice() {
        bench.verdict(portability::output_consistent(
            one,
            other,
            OutputGoal::default(),
        ));
    }
    for (role, transcripts) in done {
        carried
            .transcripts
            .entry(role)
            .or_default()
            .extend(transcripts);
    }
    Ok(())
}

async fn work(
    bench: &Bench<'_>,
    session: &Session,
    items: &[Task],
) -> Result<Vec<TaskTranscript>, StepError> {
    let mut transcripts = Vec::new();
    for item in items {
        let order = TaskOrder {
            id: item.id.clone(),
            prompt: item.prompt.clone(),
            trace_id: trace_id::new_trace_id(),
            root_span_id: trace_id::new_span_id(),
            deadline: item.deadline,
        };
        let transcript = session.call(session.agent.run_task(&order).await)?;
        bench.note(&session.role, summary(&transcript));
        transcripts.push(transcript);
    }
    Ok(transcripts)
}

fn summary(transcript: &TaskTranscript) -> String {
    let calls: Vec<_> = transcript
        .calls
        .iter()
        .map(|call| call.tool.as_str())
        .collect();
    let end = match (&transcript.answer, &transcript.failure) {
        (Some(answer), _) => answer.as_str(),
        (None, Some(failure)) => failure.as_str(),
        (None, None) => "no answer",
    };
    let doubt = match transcript.unsupported_numbers.as_slice() {
        [] => String::new(),
        numbers => format!(" (no tool gave {})", numbers.join(", ")),
    };
    format!(
        "{}: {} → {end}{doubt}",
        transcript.task_id,
        calls.join(" → ")
    )
}
