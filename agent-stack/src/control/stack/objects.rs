//! Every object of the stack, in the order of creation. Pure: a plan in, objects out.

use super::plan::Plan;
use super::{access, policy, route, workload};
use portproof_proto::names::Part;
use serde::Serialize;
use serde_json::Value;

/// The parts `Provision` creates; the control agent itself is the orchestrator's.
pub(super) const PARTS: [Part; 8] = [
    Part::Canary,
    Part::Catalog,
    Part::Interpreter,
    Part::ProbeControl,
    Part::ToolGateway,
    Part::ModelStable,
    Part::ModelCanary,
    Part::Agent,
];

/// Everything that does not depend on the gateway's address: policies first, so that no pod ever runs without one.
pub(super) fn foundation(plan: &Plan) -> Result<Vec<Value>, serde_json::Error> {
    let mut objects = Vec::new();
    for policy in policy::policies(plan) {
        objects.push(json(&policy)?);
    }
    objects.push(json(&access::service_account(plan))?);
    objects.push(json(&access::role(plan))?);
    objects.push(json(&access::role_binding(plan))?);
    for part in PARTS {
        objects.push(json(&workload::service(plan, part))?);
    }
    objects.extend([
        route::gateway(plan),
        route::model_route(plan),
        route::tools_route(plan),
    ]);
    for part in PARTS.into_iter().filter(|part| *part != Part::Agent) {
        objects.push(json(&workload::deployment(
            plan,
            part,
            workload::arguments(plan, part),
        ))?);
    }
    Ok(objects)
}

/// The agent, once it is known where the gateway answers.
pub(super) fn agent(plan: &Plan, model_url: &str) -> Result<Value, serde_json::Error> {
    json(&workload::deployment(
        plan,
        Part::Agent,
        workload::agent_arguments(plan, model_url),
    ))
}

fn json(object: &impl Serialize) -> Result<Value, serde_json::Error> {
    serde_json::to_value(object)
}
