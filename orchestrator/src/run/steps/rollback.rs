//! `rollback`: takes the canary out of the route while traffic flows.

use super::canary::{PATH, REQUEST_TIMEOUT};
use super::{Bench, StepError};
use crate::rpc::{LoadPlan, RpcError};
use crate::run::carried::Carried;
use crate::run::session::Session;
use crate::scenario::RollbackPlan;
use crate::verify::Role;
use crate::verify::evidence::{SplitChange, TrafficRecord};
use crate::verify::gateway::rollback;
use tokio::sync::oneshot;

const STABLE_ONLY: (u32, u32) = (100, 0);

pub(super) async fn run(
    bench: &Bench<'_>,
    roles: &[Role],
    step: &RollbackPlan,
    carried: &mut Carried,
) -> Result<(), StepError> {
    for role in roles {
        if carried
            .split
            .get(role)
            .is_none_or(|&(_, canary)| canary == 0)
        {
            return Err(StepError::Order {
                what: "canary in the route",
                step: "canary",
            });
        }
    }
    bench
        .each(roles, |session| roll_back(bench, session, step))
        .await?;
    carried
        .split
        .extend(roles.iter().map(|role| (role.clone(), STABLE_ONLY)));
    Ok(())
}

async fn roll_back(
    bench: &Bench<'_>,
    session: &Session,
    step: &RollbackPlan,
) -> Result<(), StepError> {
    let (record, change) = session.call(change_under_load(session, step).await)?;
    bench.verdict(rollback(&record, &change, &step.goal()).on(&session.role));
    Ok(())
}

async fn change_under_load(
    session: &Session,
    step: &RollbackPlan,
) -> Result<(TrafficRecord, SplitChange), RpcError> {
    let plan = LoadPlan {
        requests: step.requests,
        rate: step.rate,
        connections: step.connections,
        timeout: REQUEST_TIMEOUT,
        path: PATH.to_owned(),
        version: None,
    };
    let (started, load_runs) = oneshot::channel();
    let load = session.agent.drive(&plan, move || {
        // Nobody waits any more when the change was given up.
        let _ = started.send(());
    });
    let change = async {
        // A load that never starts ends with an error of its own; the change then does no harm.
        let _ = load_runs.await;
        tokio::time::sleep(step.lead).await;
        session.agent.set_split(STABLE_ONLY, step.dead_man).await
    };
    let (record, change) = tokio::join!(load, change);
    Ok((record?, change?))
}
