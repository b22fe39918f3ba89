//! `canary`: asks for a split, waits until the data plane serves it, measures it.

use super::{Bench, StepError};
use crate::rpc::LoadPlan;
use crate::run::carried::Carried;
use crate::run::session::Session;
use crate::scenario::CanaryPlan;
use crate::verify::Role;
use crate::verify::gateway::canary_weight;
use portproof_proto::names::Part;
use std::time::Duration;

/// What the driver asks for: the cheapest request that goes the way of every model request.
pub(super) const PATH: &str = "/v1/models";
/// Longest time one request may take.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The agent restores the old weights by itself after this long, should nobody come back.
const DEAD_MAN: Duration = Duration::from_mins(2);
const WARM_UP_REQUESTS: u32 = 200;
const WARM_UP_RATE: u32 = 400;
const WARM_UP_CONNECTIONS: u32 = 20;
/// Each round dials anew. At 10 %, all rounds miss the canary with a probability below 1e-90, and below 1e-9 where the
/// gateway chooses a version for each connection.
const WARM_UP_ROUNDS: u32 = 10;

pub(super) async fn run(
    bench: &Bench<'_>,
    roles: &[Role],
    canary: &CanaryPlan,
    carried: &mut Carried,
) -> Result<(), StepError> {
    bench
        .each(roles, |session| measure(bench, session, canary))
        .await?;
    carried
        .split
        .extend(roles.iter().map(|role| (role.clone(), canary.weights)));
    Ok(())
}

async fn measure(
    bench: &Bench<'_>,
    session: &Session,
    canary: &CanaryPlan,
) -> Result<(), StepError> {
    session.call(session.agent.set_split(canary.weights, DEAD_MAN).await)?;
    if canary.weights.1 > 0 {
        until_canary_answers(session).await?;
    }
    let plan = LoadPlan {
        requests: canary.requests,
        rate: canary.rate,
        connections: canary.connections,
        timeout: REQUEST_TIMEOUT,
        path: PATH.to_owned(),
    };
    let started = || {
        bench.note(
            &session.role,
            format!("{} requests at {}/s", plan.requests, plan.rate),
        );
    };
    let record = session.call(session.agent.drive(&plan, started).await)?;
    bench.verdict(canary_weight(&record, &canary.goal()).on(&session.role));
    Ok(())
}

/// A route has no status that says its weights are served, so only an answer of the canary does. One more round
/// follows the first sight of it, because each worker of a gateway converges on its own.
async fn until_canary_answers(session: &Session) -> Result<(), StepError> {
    for _ in 0..WARM_UP_ROUNDS {
        if canary_answers(session).await? {
            canary_answers(session).await?;
            return Ok(());
        }
    }
    Err(StepError::Unsettled {
        role: session.role.clone(),
        what: format!(
            "the canary answered none of {} requests",
            WARM_UP_ROUNDS * WARM_UP_REQUESTS
        ),
    })
}

async fn canary_answers(session: &Session) -> Result<bool, StepError> {
    let plan = LoadPlan {
        requests: WARM_UP_REQUESTS,
        rate: WARM_UP_RATE,
        connections: WARM_UP_CONNECTIONS,
        timeout: REQUEST_TIMEOUT,
        path: PATH.to_owned(),
    };
    let record = session.call(session.agent.drive(&plan, || {}).await)?;
    Ok(record
        .samples
        .iter()
        .any(|sample| sample.backend.as_deref() == Some(Part::ModelCanary.name())))
}
