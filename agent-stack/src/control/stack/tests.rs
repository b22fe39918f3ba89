use super::objects;
use super::plan::{Faults, Plan, PlanError};
use super::*;
use crate::control::api::Kind;
use crate::control::home::Home;
use portproof_proto::names::{PART_LABEL, Part};
use portproof_proto::v1::{Fault, GatewaySpec, ModelSpec, SandboxSpec, StackSpec, TrafficSplit};
use serde_json::{Value, json};

mod faults;
mod provision;
mod specification;

fn home() -> Home {
    Home {
        run_id: "r1".into(),
        role: "a".into(),
        namespace: "portproof-r1".into(),
        cluster_uid: "uid-c".into(),
    }
}

fn spec(faults: &[Fault]) -> StackSpec {
    StackSpec {
        image: "portproof.dev/agent-stack:test".into(),
        gateway: Some(GatewaySpec {
            class_name: "traefik".into(),
            port: 8000,
            hostname: "models.portproof.internal".into(),
        }),
        sandbox: Some(SandboxSpec {
            runtime_class: "gvisor".into(),
        }),
        model: Some(ModelSpec {
            split: Some(TrafficSplit {
                stable: 100,
                canary: 0,
            }),
            ..ModelSpec::default()
        }),
        faults: faults.iter().map(|fault| *fault as i32).collect(),
        image_pull_policy: "Never".into(),
    }
}

fn plan(faults: &[Fault]) -> Plan {
    Plan::check(spec(faults), home()).unwrap()
}

fn all_objects(plan: &Plan) -> Vec<Value> {
    let mut all = objects::foundation(plan).unwrap();
    all.push(objects::agent(plan, "http://172.31.0.11:8000").unwrap());
    all
}

fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    objects
        .iter()
        .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
        .unwrap()
}

fn pod(objects: &[Value], part: Part) -> &Value {
    &find(objects, "Deployment", part.name())["spec"]["template"]["spec"]
}

/// What differs between two stacks, by kind and name.
fn changed(one: &[Value], other: &[Value]) -> Vec<String> {
    let name = |object: &Value| {
        format!(
            "{}/{}",
            object["kind"].as_str().unwrap(),
            object["metadata"]["name"].as_str().unwrap()
        )
    };
    one.iter()
        .zip(other)
        .filter(|(one, other)| one != other)
        .map(|(one, _)| name(one))
        .collect()
}

#[test]
fn the_whole_stack() {
    insta::assert_json_snapshot!(all_objects(&plan(&[])));
}

#[test]
fn policies_come_first_and_the_one_that_denies_after_those_that_allow() {
    let kinds: Vec<_> = all_objects(&plan(&[]))
        .iter()
        .map(|object| object["kind"].as_str().unwrap().to_owned())
        .collect();
    let policies = kinds
        .iter()
        .take_while(|kind| *kind == "NetworkPolicy")
        .count();
    assert_eq!(
        policies,
        kinds.iter().filter(|kind| *kind == "NetworkPolicy").count()
    );
    assert_eq!(
        all_objects(&plan(&[]))[policies - 1]["metadata"]["name"],
        "default-deny"
    );
}

#[test]
fn every_object_carries_the_run_and_every_pod_its_part() {
    for object in all_objects(&plan(&[])) {
        assert_eq!(
            object["metadata"]["labels"]["portproof.dev/run-id"], "r1",
            "{object}"
        );
        assert_eq!(object["metadata"]["namespace"], "portproof-r1");
        if object["kind"] == "Deployment" {
            assert_eq!(
                object["spec"]["template"]["metadata"]["labels"][PART_LABEL],
                object["metadata"]["name"]
            );
        }
    }
}

#[test]
fn every_pod_satisfies_pod_security_restricted() {
    for object in all_objects(&plan(&[]))
        .iter()
        .filter(|object| object["kind"] == "Deployment")
    {
        let pod = &object["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(
            pod["securityContext"]["seccompProfile"]["type"],
            "RuntimeDefault"
        );
        let container = &pod["containers"][0];
        assert_eq!(
            container["securityContext"]["allowPrivilegeEscalation"],
            false
        );
        assert_eq!(
            container["securityContext"]["capabilities"]["drop"],
            json!(["ALL"])
        );
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    }
}

#[test]
fn every_container_fits_a_quota_that_asks_for_requests_and_limits() {
    let objects = all_objects(&plan(&[]));
    for part in objects::PARTS {
        let resources = &pod(&objects, part)["containers"][0]["resources"];
        for kind in ["requests", "limits"] {
            for resource in ["cpu", "memory"] {
                assert!(resources[kind][resource].is_string(), "{part:?} {kind}");
            }
        }
    }
}

#[test]
fn a_rollout_never_leaves_a_part_without_a_ready_pod_and_a_pod_has_the_time_it_needs_to_end() {
    let objects = all_objects(&plan(&[]));
    for part in objects::PARTS {
        let deployment = find(&objects, "Deployment", part.name());
        let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
        assert_eq!(rolling, &json!({"maxSurge": 1, "maxUnavailable": 0}));
        let pod = pod(&objects, part);
        let environment = pod["containers"][0]["env"].as_array().unwrap();
        let announced = environment
            .iter()
            .find(|variable| variable["name"] == crate::shutdown::ANNOUNCE_ENV)
            .unwrap();
        let announced: u64 = announced["value"].as_str().unwrap().parse().unwrap();
        let needed = announced / 1000 + crate::shutdown::Grace::FINISH.as_secs();
        assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() > needed);
    }
}

#[test]
fn liveness_and_readiness_are_different_questions() {
    let objects = all_objects(&plan(&[]));
    for part in objects::PARTS {
        let container = &pod(&objects, part)["containers"][0];
        assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/livez");
        assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    }
}

#[test]
fn only_the_tool_gateway_gets_a_token_of_the_api_server() {
    let objects = all_objects(&plan(&[]));
    for part in objects::PARTS {
        assert_eq!(
            pod(&objects, part)["automountServiceAccountToken"],
            json!(part == Part::ToolGateway),
            "{part:?}"
        );
    }
}

/// The pods that run untrusted code are its walls: each of these properties is one.
#[test]
fn the_interpreter_stands_apart_from_node_and_cluster() {
    let objects = all_objects(&plan(&[]));
    for part in [Part::Interpreter, Part::ProbeControl] {
        let pod = pod(&objects, part);
        for absent in [
            "hostNetwork",
            "hostPID",
            "hostIPC",
            "hostUsers",
            "shareProcessNamespace",
            "serviceAccountName",
        ] {
            assert!(pod.get(absent).is_none(), "{part:?} {absent}");
        }
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["enableServiceLinks"], false);
        assert_eq!(pod["securityContext"]["runAsUser"], 65532);
        let volumes = pod["volumes"].as_array().unwrap();
        assert!(
            volumes
                .iter()
                .all(|volume| volume.get("emptyDir").is_some()),
            "{volumes:?}"
        );
        assert_eq!(pod["containers"].as_array().unwrap().len(), 1);
    }
    assert_eq!(pod(&objects, Part::Interpreter)["dnsPolicy"], "None");
}

/// Memory and disk of all programs at their limits, with the sandbox's own needs beside them.
#[test]
fn programs_at_their_limits_fit_into_the_pod() {
    use clap::Parser as _;
    let objects = all_objects(&plan(&[]));
    for part in [Part::Interpreter, Part::ProbeControl] {
        let pod = pod(&objects, part);
        let arguments = pod["containers"][0]["args"].as_array().unwrap();
        let line = arguments.iter().map(|argument| argument.as_str().unwrap());
        let line = std::iter::once("agent-stack").chain(line);
        let crate::cli::Part::Interpreter(flags) = crate::cli::Cli::parse_from(line).part else {
            panic!("{arguments:?}")
        };
        let mebibytes = |pointer: &str| {
            let text = pod.pointer(pointer).unwrap().as_str().unwrap();
            text.strip_suffix("Mi").unwrap().parse::<u64>().unwrap() << 20
        };
        let programs = flags.concurrency as u64;
        let memory = mebibytes("/containers/0/resources/limits/memory");
        assert!(programs * flags.limits.max_memory + (96 << 20) <= memory);
        assert!(programs * flags.limits.max_disk * 2 <= mebibytes("/volumes/0/emptyDir/sizeLimit"));
    }
}

#[test]
fn the_interpreter_may_reach_the_tool_gateway_and_nothing_else() {
    let objects = all_objects(&plan(&[]));
    let egress = &find(&objects, "NetworkPolicy", "interpreter")["spec"]["egress"];
    assert_eq!(egress.as_array().unwrap().len(), 1);
    assert_eq!(
        egress[0]["to"][0]["podSelector"]["matchLabels"][PART_LABEL],
        "tool-gateway"
    );
    assert_eq!(
        egress[0]["ports"],
        json!([{"protocol": "TCP", "port": 8080}])
    );
}
