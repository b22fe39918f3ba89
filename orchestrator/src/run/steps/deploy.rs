//! `deploy`: the reference stack, on every cluster side by side.

use super::{Bench, StepError};
use crate::rpc::{ProvisionProgress, StackPlan, UpstreamPlan};
use crate::run::carried::Carried;
use crate::run::plan::RunPlan;
use crate::run::session::Session;
use crate::verify::Role;
use crate::verify::evidence::PartPod;
use std::time::Duration;

/// Listener port of the Gateway; on the lab it is the port both implementations listen on.
const GATEWAY_PORT: u16 = 80;
/// All traffic goes to the stable version until a canary step says otherwise.
const STABLE_ONLY: (u32, u32) = (100, 0);

pub(super) async fn run(
    bench: &Bench<'_>,
    roles: &[Role],
    deadline: Duration,
    carried: &mut Carried,
) -> Result<(), StepError> {
    let pods = bench
        .each(roles, |session| provision(bench, session, deadline))
        .await?;
    carried.pods.extend(pods);
    carried
        .split
        .extend(roles.iter().map(|role| (role.clone(), STABLE_ONLY)));
    Ok(())
}

async fn provision(
    bench: &Bench<'_>,
    session: &Session,
    deadline: Duration,
) -> Result<Vec<PartPod>, StepError> {
    let stack = &bench.plan.scenario.stack;
    let plan = StackPlan {
        image: bench.plan.image.clone(),
        image_pull_policy: session.image_pull_policy.clone(),
        gateway_class: session.gateway_class.clone(),
        gateway_port: GATEWAY_PORT,
        hostname: format!("{}.portproof.internal", bench.plan.run),
        runtime_class: stack.runtime_class.clone(),
        upstream: upstream(bench.plan),
        split: STABLE_ONLY,
        faults: bench.plan.agent_faults(&session.role),
        deadline,
    };
    let outcome = session.agent.provision(&plan, |step| {
        if let ProvisionProgress::Ready(part, elapsed) = step {
            bench.note(
                &session.role,
                format!("{part} answers after {:.1} s", elapsed.as_secs_f64()),
            );
        }
    });
    let gateway = session.call(outcome.await)?;
    bench.note(
        &session.role,
        format!(
            "the Gateway answers at {}:{}",
            gateway.address, gateway.port
        ),
    );
    let described = session.call(session.agent.describe().await)?;
    Ok(described.pods)
}

/// The model server outside the stack, with the names of what was made for it at bootstrap.
fn upstream(plan: &RunPlan) -> Option<UpstreamPlan> {
    let upstream = plan.scenario.stack.upstream.as_ref()?;
    let access = &plan.upstream;
    Some(UpstreamPlan {
        url: upstream.url.clone(),
        model: upstream.model.clone(),
        key_secret: access.key_secret().map(str::to_owned),
        authorities_config_map: access.authorities_config_map().map(str::to_owned),
    })
}
