//! `rollback`: takes the canary out of the route while traffic flows.

use super::canary::{PATH, REQUEST_TIMEOUT};
use super::{Bench, StepError};
use crate::rpc::{LoadPlan, RpcError};
use crate::run::carried::Carried;
use crate::run::session::Session;
use crate::scenario::Rollback;
use crate::verify::Role;
use crate::verify::evidence::{SplitChange, TrafficRecord};
use crate::verify::gateway::{RollbackGoal, rollback};
use std::time::Duration;
use tokio::sync::oneshot;

const STABLE_ONLY: (u32, u32) = (100, 0);
const CONNECTIONS: u32 = 16;
/// One part in so many of the load runs before the change: enough to see the canary first.
const LEAD: u32 = 4;

pub(super) async fn run(
    bench: &Bench<'_>,
    roles: &[Role],
    step: &Rollback,
    carried: &mut Carried,
) -> Result<(), StepError> {
    for role in roles {
        if carried.split.get(role).is_none_or(|&(_, canary)| canary == 0) {
            return Err(StepError::Order { what: "canary in the route", step: "canary" });
        }
    }
    bench.each(roles, |session| roll_back(bench, session, step)).await?;
    carried.split.extend(roles.iter().map(|role| (role.clone(), STABLE_ONLY)));
    Ok(())
}

async fn roll_back(bench: &Bench<'_>, session: &Session, step: &Rollback) -> Result<(), StepError> {
    let (record, change) = session.call(change_under_load(session, step).await)?;
    bench.verdict(rollback(&record, &change, &RollbackGoal::default()).on(&session.role));
    Ok(())
}

async fn change_under_load(session: &Session, step: &Rollback) -> Result<(TrafficRecord, SplitChange), RpcError> {
    let plan = LoadPlan {
        requests: step.requests,
        rate: step.rate,
        connections: CONNECTIONS,
        timeout: REQUEST_TIMEOUT,
        path: PATH.to_owned(),
    };
    let lead = Duration::from_secs_f64(f64::from(step.requests / LEAD) / f64::from(step.rate.max(1)));
    let (started, load_runs) = oneshot::channel();
    let load = session.agent.drive(&plan, move || drop(started.send(())));
    let change = async {
        // A load that never starts ends with an error of its own; the change then does no harm.
        let _ = load_runs.await;
        tokio::time::sleep(lead).await;
        session.agent.set_split(STABLE_ONLY, Duration::ZERO).await
    };
    let (record, change) = tokio::join!(load, change);
    Ok((record?, change?))
}
