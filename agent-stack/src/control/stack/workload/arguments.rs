//! What the binary is called with in each part.

use super::super::plan::Plan;
use super::upstream;
use crate::model::Engine;
use portproof_proto::names::{HTTP_PORT, Part};
use portproof_proto::v1::Fault;

/// The Tool that is not listed under the fault `FAULT_TOOL_HIDDEN`.
const HIDDEN_TOOL: &str = "lookup_price";

/// Four programs at 128 MiB each fit into the pod's memory, and at 16 MiB of files each into its volume, so that no
/// program can make the kernel or the kubelet end the pod. The pod's writable directories are emptied between programs:
/// under a runtime without Landlock they would be a way from one to the next.
const INTERPRETER_FLAGS: [&str; 14] = [
    "--concurrency",
    "4",
    "--max-processes",
    "32",
    "--max-memory",
    "134217728",
    "--max-disk",
    "16777216",
    "--workspaces",
    "/tmp/runs",
    "--wipe",
    "/tmp",
    "--wipe",
    "/dev/shm",
];

/// What the binary is called with for every part but the agent, which needs the gateway's address.
pub(in crate::control::stack) fn arguments(plan: &Plan, part: Part) -> Vec<String> {
    let mut arguments = vec![subcommand(part)];
    let mut add =
        |more: &[&str]| arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
    match part {
        Part::ModelStable | Part::ModelCanary => {
            add(&["--name", part.name()]);
            match upstream::asked_by(plan, part) {
                Some(upstream) => arguments.extend(upstream::arguments(upstream)),
                None => add(&["--engine", engine(part).name()]),
            }
        }
        // Requests through the Gateway carry its host name.
        Part::ToolGateway => add(&["--allowed-host", &plan.hostname]),
        Part::Interpreter | Part::ProbeControl => add(&INTERPRETER_FLAGS),
        _ => {}
    }
    arguments.extend(
        deviations(plan, part)
            .iter()
            .map(|argument| (*argument).to_owned()),
    );
    arguments
}

/// The canary has the newer engine, so that who answered shows in the answer and not only in a header.
fn engine(part: Part) -> Engine {
    if part == Part::ModelCanary {
        Engine::RefPlannerV2
    } else {
        Engine::RefPlannerV1
    }
}

/// Arguments that make a part deviate on purpose.
fn deviations(plan: &Plan, part: Part) -> Vec<&'static str> {
    let mut arguments = Vec::new();
    if part == Part::ToolGateway && plan.faults.has(Fault::ToolHidden) {
        arguments.extend(["--hide-tool", HIDDEN_TOOL]);
    }
    if part == Part::ToolGateway && plan.faults.has(Fault::TraceContextDropped) {
        arguments.push("--drop-trace-context");
    }
    if part == Part::Catalog && plan.faults.has(Fault::CatalogChanged) {
        arguments.push("--changed");
    }
    arguments
}

/// What the binary is called with as the agent.
pub(in crate::control::stack) fn agent_arguments(plan: &Plan, model_url: &str) -> Vec<String> {
    let tools = format!("http://{}:{HTTP_PORT}/mcp", Part::ToolGateway.name());
    let model = plan.upstream.as_ref().and_then(|it| it.model.as_deref());
    let mut arguments = vec![
        "agent",
        "--model-url",
        model_url,
        "--model-host",
        &plan.hostname,
        "--gateway-url",
        &tools,
    ];
    arguments.extend(model.into_iter().flat_map(|model| ["--model", model]));
    arguments.into_iter().map(str::to_owned).collect()
}

fn subcommand(part: Part) -> String {
    let name = match part {
        Part::Control => "control",
        Part::ModelStable | Part::ModelCanary => "model",
        Part::ToolGateway => "gateway",
        Part::Interpreter | Part::ProbeControl => "interpreter",
        Part::Agent => "agent",
        Part::Catalog => "catalog",
        Part::Canary => "canary",
    };
    name.to_owned()
}
