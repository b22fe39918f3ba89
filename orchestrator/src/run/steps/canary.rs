//! `canary`: asks for a split, waits until the data plane serves it, measures it.

use super::{Bench, StepError};
use crate::rpc::LoadPlan;
use crate::run::carried::Carried;
use crate::run::session::Session;
use crate::scenario::CanaryPlan;
use crate::verify::Role;
use crate::verify::evidence::{ByName, TrafficRecord};
use crate::verify::gateway::canary_weight;
use portproof_proto::names::{CANARY_VERSION, Part};
use std::time::{Duration, Instant};

/// What the driver asks for: the cheapest request that goes the way of every model request.
pub(super) const PATH: &str = "/v1/models";
/// Longest time one request may take.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The agent restores the old weights by itself after this long, should nobody come back.
const DEAD_MAN: Duration = Duration::from_mins(2);
/// Longest time until new weights are in place. What is measured then is what they are worth.
const CONVERGENCE: Duration = Duration::from_secs(20);
const WARM_UP_REQUESTS: u32 = 200;
const WARM_UP_RATE: u32 = 400;
/// Each round dials anew: at 10 % one of these misses the canary once in eight times where the gateway chooses a version for
/// each connection, all rounds together never.
const WARM_UP_CONNECTIONS: u32 = 20;

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
    let in_place = canary.weights.1 == 0 || until_canary_answers(session).await?;
    let by_name = if in_place {
        None
    } else {
        bench.note(
            &session.role,
            format!(
                "the canary answers nothing after {} s",
                CONVERGENCE.as_secs()
            ),
        );
        Some(by_name(session).await?)
    };
    let plan = LoadPlan {
        requests: canary.requests,
        rate: canary.rate,
        connections: canary.connections,
        timeout: REQUEST_TIMEOUT,
        path: PATH.to_owned(),
        version: None,
    };
    let started = || {
        bench.note(
            &session.role,
            format!("{} requests at {}/s", plan.requests, plan.rate),
        );
    };
    let record = session.call(session.agent.drive(&plan, started).await)?;
    let record = TrafficRecord { by_name, ..record };
    bench.verdict(canary_weight(&record, &canary.goal()).on(&session.role));
    Ok(())
}

/// Whether the canary answers within [`CONVERGENCE`]. A route has no status that says its weights are served, so only an
/// answer of the canary does. One more round follows the first sight of it, because each worker of a gateway converges
/// on its own.
async fn until_canary_answers(session: &Session) -> Result<bool, StepError> {
    let began = Instant::now();
    while began.elapsed() < CONVERGENCE {
        if warm_up(session, None).await?.answered > 0 {
            warm_up(session, None).await?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Asks for the canary by name, on the same way: whether it is there at all.
async fn by_name(session: &Session) -> Result<ByName, StepError> {
    warm_up(session, Some(CANARY_VERSION)).await
}

async fn warm_up(session: &Session, version: Option<&'static str>) -> Result<ByName, StepError> {
    let plan = LoadPlan {
        requests: WARM_UP_REQUESTS,
        rate: WARM_UP_RATE,
        connections: WARM_UP_CONNECTIONS,
        timeout: REQUEST_TIMEOUT,
        path: PATH.to_owned(),
        version,
    };
    let record = session.call(session.agent.drive(&plan, || {}).await)?;
    let canary = Some(Part::ModelCanary.name());
    let answers = record
        .samples
        .iter()
        .filter(|sample| sample.backend.as_deref() == canary);
    Ok(ByName {
        asked: WARM_UP_REQUESTS,
        answered: u32::try_from(answers.count()).unwrap_or(u32::MAX),
    })
}
