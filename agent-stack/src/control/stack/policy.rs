//! NetworkPolicies: nothing is allowed but what is listed here.
//!
//! A policy allows; it cannot forbid. So there is one policy that selects every pod and allows nothing, and one
//! for each part that allows what the part needs.

use super::metadata::matching;
use super::plan::Plan;
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use portproof_proto::names::{GATEWAY, HTTP_PORT, OTLP_PORT, PART_LABEL, Part};
use portproof_proto::v1::Fault;

/// Ports API servers listen on, behind their Service and directly.
const API_SERVER_PORTS: [u16; 2] = [443, 6443];
const DNS_PORT: u16 = 53;

/// Every policy of the stack, those that allow before the one that denies.
pub(super) fn policies(plan: &Plan) -> Vec<NetworkPolicy> {
    let unpoliced = plan.faults.has(Fault::EgressPolicyMissing);
    let mut policies: Vec<_> = [Part::Control, Part::Canary, Part::ProbeControl]
        .into_iter()
        .map(|part| unrestricted(plan, part))
        .collect();
    policies.extend([
        backend(plan, Part::Catalog, Some(telemetry(plan))),
        backend(
            plan,
            Part::Interpreter,
            (!unpoliced).then(|| vec![to_part(plan, Part::ToolGateway, HTTP_PORT)]),
        ),
        served(plan, Part::ToolGateway, tool_gateway_egress(plan)),
        served(plan, Part::ModelStable, model_egress(plan)),
        served(plan, Part::ModelCanary, model_egress(plan)),
        policy(
            plan,
            Part::Agent,
            vec![from_parts(plan, &[Part::Control])],
            Some(agent_egress(plan)),
        ),
        data_plane(plan),
        deny_all(plan, unpoliced),
    ]);
    policies
}

/// Parts that stand outside the rules on purpose: what drives and watches the others, and the ends of egress probes.
fn unrestricted(plan: &Plan, part: Part) -> NetworkPolicy {
    let (ingress, egress) = (from_anywhere(&[]), to_anywhere(&[]));
    policy(plan, part, vec![ingress], Some(vec![egress]))
}

/// A part that the tool gateway calls.
fn backend(plan: &Plan, part: Part, egress: Option<Vec<NetworkPolicyEgressRule>>) -> NetworkPolicy {
    let callers = from_parts(plan, &[Part::ToolGateway, Part::Control]);
    policy(plan, part, vec![callers], egress)
}

/// A part that is called through the Gateway, whose data plane may stand anywhere.
fn served(plan: &Plan, part: Part, egress: Vec<NetworkPolicyEgressRule>) -> NetworkPolicy {
    policy(plan, part, vec![from_anywhere(&[HTTP_PORT])], Some(egress))
}

/// Some implementations run the data plane of a Gateway in the namespace of the Gateway (label of GEP-1762).
fn data_plane(plan: &Plan) -> NetworkPolicy {
    let label = (
        "gateway.networking.k8s.io/gateway-name".to_owned(),
        GATEWAY.to_owned(),
    );
    NetworkPolicy {
        metadata: plan.metadata("gateway"),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(matching([label].into())),
            policy_types: Some(vec!["Ingress".into(), "Egress".into()]),
            ingress: Some(vec![from_anywhere(&[])]),
            egress: Some(vec![to_anywhere(&[])]),
        }),
    }
}

/// Selects every pod and allows nothing. Under the fault it leaves the interpreter out, and there ingress stays
/// denied by the interpreter's own policy.
fn deny_all(plan: &Plan, without_interpreter: bool) -> NetworkPolicy {
    let others = LabelSelectorRequirement {
        key: PART_LABEL.into(),
        operator: "NotIn".into(),
        values: Some(vec![Part::Interpreter.name().into()]),
    };
    NetworkPolicy {
        metadata: plan.metadata("default-deny"),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector {
                match_expressions: without_interpreter.then(|| vec![others]),
                match_labels: None,
            }),
            policy_types: Some(vec!["Ingress".into(), "Egress".into()]),
            ..NetworkPolicySpec::default()
        }),
    }
}

/// The policy of one part; without `egress` the policy says nothing about egress.
fn policy(
    plan: &Plan,
    part: Part,
    ingress: Vec<NetworkPolicyIngressRule>,
    egress: Option<Vec<NetworkPolicyEgressRule>>,
) -> NetworkPolicy {
    let types = if egress.is_some() {
        vec!["Ingress".into(), "Egress".into()]
    } else {
        vec!["Ingress".into()]
    };
    NetworkPolicy {
        metadata: plan.part_metadata(part),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(matching(plan.part_selector(part))),
            policy_types: Some(types),
            ingress: Some(ingress),
            egress,
        }),
    }
}

fn telemetry(plan: &Plan) -> Vec<NetworkPolicyEgressRule> {
    vec![dns(), to_part(plan, Part::Control, OTLP_PORT)]
}

fn tool_gateway_egress(plan: &Plan) -> Vec<NetworkPolicyEgressRule> {
    let mut rules = telemetry(plan);
    rules.push(to_part(plan, Part::Interpreter, HTTP_PORT));
    rules.push(to_part(plan, Part::Catalog, HTTP_PORT));
    rules.push(to_anywhere(&API_SERVER_PORTS));
    rules
}

fn model_egress(plan: &Plan) -> Vec<NetworkPolicyEgressRule> {
    let mut rules = telemetry(plan);
    rules.extend(
        plan.upstream
            .as_ref()
            .map(|upstream| to_anywhere(&[upstream.port])),
    );
    rules
}

/// The data plane of a Gateway is pods of some namespace, on a port of the implementation's choice, or the gateway's
/// address itself.
fn agent_egress(plan: &Plan) -> Vec<NetworkPolicyEgressRule> {
    let mut rules = telemetry(plan);
    rules.push(to_part(plan, Part::ToolGateway, HTTP_PORT));
    rules.push(NetworkPolicyEgressRule {
        to: Some(vec![NetworkPolicyPeer {
            namespace_selector: Some(LabelSelector::default()),
            ..NetworkPolicyPeer::default()
        }]),
        ports: None,
    });
    rules.push(to_anywhere(&[plan.gateway_port]));
    rules
}

fn dns() -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule {
        to: None,
        ports: Some(vec![port("UDP", DNS_PORT), port("TCP", DNS_PORT)]),
    }
}

fn to_part(plan: &Plan, part: Part, number: u16) -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule {
        to: Some(vec![peer(plan, part)]),
        ports: Some(vec![port("TCP", number)]),
    }
}

/// TCP to any address on these ports; without ports, anything.
fn to_anywhere(ports: &[u16]) -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule {
        to: None,
        ports: tcp_ports(ports),
    }
}

fn from_parts(plan: &Plan, parts: &[Part]) -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule {
        from: Some(parts.iter().map(|part| peer(plan, *part)).collect()),
        ports: tcp_ports(&[HTTP_PORT]),
    }
}

/// TCP from any address on these ports; without ports, anything.
fn from_anywhere(ports: &[u16]) -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule {
        from: None,
        ports: tcp_ports(ports),
    }
}

fn peer(plan: &Plan, part: Part) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        pod_selector: Some(matching(plan.part_selector(part))),
        ..NetworkPolicyPeer::default()
    }
}

fn tcp_ports(numbers: &[u16]) -> Option<Vec<NetworkPolicyPort>> {
    (!numbers.is_empty()).then(|| numbers.iter().map(|number| port("TCP", *number)).collect())
}

fn port(protocol: &str, number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.into()),
        port: Some(IntOrString::Int(i32::from(number))),
        end_port: None,
    }
}
