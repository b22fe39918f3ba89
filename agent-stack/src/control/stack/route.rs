//! The Gateway and its HTTPRoutes, as plain JSON: the typed Gateway API crate stays in the orchestrator.

use super::plan::Plan;
use crate::control::api::Kind;
use crate::control::traffic::weights;
use portproof_proto::names::{
    CANARY_VERSION, GATEWAY, HTTP_PORT, MODEL_ROUTE, Part, STABLE_VERSION, TOOLS_ROUTE,
    VERSION_HEADER,
};
use serde_json::{Value, json};

/// Annotation of the model route with the split the stack was provisioned with, `stable/canary`.
pub(crate) const SPLIT_ANNOTATION: &str = "portproof.dev/provisioned-split";
/// Annotation of the model route with the faults that its changes are to show.
pub(crate) const FAULTS_ANNOTATION: &str = "portproof.dev/faults";
/// The backends of the weighted rule, in their order.
pub(crate) const STABLE_FIRST: [Part; 2] = [Part::ModelStable, Part::ModelCanary];

/// One listener, plain HTTP, for routes of the same namespace.
pub(super) fn gateway(plan: &Plan) -> Value {
    json!({
        "apiVersion": Kind::GATEWAY.api_version,
        "kind": Kind::GATEWAY.kind,
        "metadata": plan.metadata(GATEWAY),
        "spec": {
            "gatewayClassName": plan.gateway_class,
            "listeners": [{
                "name": "http",
                "port": plan.gateway_port,
                "protocol": "HTTP",
                "allowedRoutes": {"namespaces": {"from": "Same"}},
            }],
        },
    })
}

/// Header rules for each version first, then the weighted split.
pub(super) fn model_route(plan: &Plan) -> Value {
    let split = weights::serve(plan.split, &plan.faults);
    let weighted = json!({
        "matches": [{"path": prefix("/v1")}],
        "backendRefs": [
            backend(Part::ModelStable, split.stable),
            backend(Part::ModelCanary, split.canary),
        ],
    });
    let rules = [
        by_version(CANARY_VERSION, Part::ModelCanary),
        by_version(STABLE_VERSION, Part::ModelStable),
        weighted,
    ];
    let mut route = route(plan, MODEL_ROUTE, &rules);
    route["metadata"]["annotations"] = json!({
        SPLIT_ANNOTATION: weights::write(plan.split),
        FAULTS_ANNOTATION: plan.faults.write(),
    });
    route
}

/// MCP to the tool gateway; one tool has a rule of its own by its `Mcp-Name` header (MCP revision 2026-07-28).
pub(super) fn tools_route(plan: &Plan) -> Value {
    let gateway = backend(Part::ToolGateway, 1);
    let run_python = json!({
        "matches": [{"path": prefix("/mcp"), "headers": [exact("Mcp-Name", "run_python")]}],
        "backendRefs": [gateway],
    });
    let any = json!({"matches": [{"path": prefix("/mcp")}], "backendRefs": [gateway]});
    route(plan, TOOLS_ROUTE, &[run_python, any])
}

fn route(plan: &Plan, name: &str, rules: &[Value]) -> Value {
    json!({
        "apiVersion": Kind::HTTP_ROUTE.api_version,
        "kind": Kind::HTTP_ROUTE.kind,
        "metadata": plan.metadata(name),
        "spec": {
            "parentRefs": [{"name": GATEWAY}],
            "hostnames": [plan.hostname],
            "rules": rules,
        },
    })
}

fn by_version(version: &str, part: Part) -> Value {
    json!({
        "matches": [{"path": prefix("/v1"), "headers": [exact(VERSION_HEADER, version)]}],
        "backendRefs": [backend(part, 1)],
    })
}

fn prefix(path: &str) -> Value {
    json!({"type": "PathPrefix", "value": path})
}

fn exact(name: &str, value: &str) -> Value {
    json!({"type": "Exact", "name": name, "value": value})
}

fn backend(part: Part, weight: u32) -> Value {
    json!({"name": part.name(), "port": HTTP_PORT, "weight": weight})
}
