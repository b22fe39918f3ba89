use super::objects;
use super::plan::{Faults, Plan, PlanError};
use super::*;
use crate::control::api::Kind;
use crate::control::fake_api::FakeApi;
use crate::control::home::Home;
use crate::control::peers::Peers;
use crate::control::stream::Events;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use portproof_proto::names::{BACKEND_HEADER, PART_LABEL, Part};
use portproof_proto::v1::provision_event::Event;
use portproof_proto::v1::{
    Fault, GatewaySpec, ModelSpec, ProvisionRequest, SandboxSpec, StackReady, StackSpec,
    TrafficSplit,
};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

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

#[test]
fn each_fault_changes_exactly_what_it_is_about() {
    let clean = all_objects(&plan(&[]));
    let cases = [
        (
            Fault::EgressPolicyMissing,
            vec![
                "NetworkPolicy/interpreter",
                "NetworkPolicy/default-deny",
                "HTTPRoute/model",
            ],
        ),
        (
            Fault::RuntimeNotSandboxed,
            vec!["HTTPRoute/model", "Deployment/interpreter"],
        ),
        (
            Fault::TraceContextDropped,
            vec!["HTTPRoute/model", "Deployment/tool-gateway"],
        ),
        (
            Fault::ToolHidden,
            vec!["HTTPRoute/model", "Deployment/tool-gateway"],
        ),
        (
            Fault::CatalogChanged,
            vec!["HTTPRoute/model", "Deployment/catalog"],
        ),
        (Fault::RouteWeightsSkewed, vec!["HTTPRoute/model"]),
        (Fault::RollbackIncomplete, vec!["HTTPRoute/model"]),
    ];
    for (fault, expected) in cases {
        let broken = all_objects(&plan(&[fault]));
        assert_eq!(changed(&clean, &broken), expected, "{fault:?}");
        let (clean, broken) = (
            find(&clean, "HTTPRoute", "model"),
            find(&broken, "HTTPRoute", "model"),
        );
        assert_eq!(
            clean["spec"], broken["spec"],
            "at 100/0 a fault shows in the route only as its annotation"
        );
    }
}

#[test]
fn without_the_egress_policy_the_interpreter_is_still_not_reached_from_everywhere() {
    let objects = all_objects(&plan(&[Fault::EgressPolicyMissing]));
    let policy = &find(&objects, "NetworkPolicy", "interpreter")["spec"];
    assert_eq!(
        (&policy["policyTypes"], policy.get("egress")),
        (&json!(["Ingress"]), None)
    );
    let excluded = &find(&objects, "NetworkPolicy", "default-deny")["spec"]["podSelector"]["matchExpressions"]
        [0];
    assert_eq!(excluded["values"], json!(["interpreter"]));
}

#[test]
fn without_the_sandbox_the_interpreter_has_no_runtime_class() {
    assert_eq!(
        pod(&all_objects(&plan(&[])), Part::Interpreter)["runtimeClassName"],
        "gvisor"
    );
    assert!(
        pod(
            &all_objects(&plan(&[Fault::RuntimeNotSandboxed])),
            Part::Interpreter
        )
        .get("runtimeClassName")
        .is_none()
    );
}

#[test]
fn an_upstream_is_passed_on_and_may_be_reached() {
    let mut spec = spec(&[]);
    spec.model.as_mut().unwrap().upstream = "http://vllm.models:8000".into();
    let objects = all_objects(&Plan::check(spec, home()).unwrap());
    let arguments = &pod(&objects, Part::ModelCanary)["containers"][0]["args"];
    assert_eq!(
        *arguments,
        json!([
            "model",
            "--name",
            "model-canary",
            "--upstream",
            "http://vllm.models:8000"
        ])
    );
    let egress = find(&objects, "NetworkPolicy", "model-stable")["spec"]["egress"]
        .as_array()
        .unwrap();
    assert_eq!(
        egress.last().unwrap(),
        &json!({"ports": [{"protocol": "TCP", "port": 8000}]})
    );
}

#[test]
fn the_name_of_the_model_goes_to_the_agent_and_the_key_to_the_model_servers_alone() {
    let mut spec = spec(&[]);
    let model = spec.model.as_mut().unwrap();
    model.upstream = "http://vllm.models:8000".into();
    model.upstream_model = "qwen3-8b".into();
    model.upstream_key_secret = "vllm-key".into();
    let objects = all_objects(&Plan::check(spec, home()).unwrap());
    let agent = pod(&objects, Part::Agent)["containers"][0]["args"]
        .as_array()
        .unwrap();
    assert!(agent.ends_with(&[json!("--model"), json!("qwen3-8b")]));
    for part in Part::ALL.into_iter().filter(|part| *part != Part::Control) {
        let pod = pod(&objects, part).to_string();
        let asks = matches!(part, Part::ModelStable | Part::ModelCanary);
        assert_eq!(pod.contains("vllm-key"), asks, "{part:?}");
    }
    let model = pod(&objects, Part::ModelStable);
    let arguments = model["containers"][0]["args"].as_array().unwrap();
    assert!(arguments.ends_with(&[
        json!("--upstream-key-file"),
        json!("/etc/portproof/upstream/api-key")
    ]));
    assert_eq!(
        model["volumes"][1]["secret"],
        json!({"secretName": "vllm-key", "defaultMode": 0o440, "items": [{"key": "api-key", "path": "api-key"}]})
    );
    assert_eq!(
        model["containers"][0]["volumeMounts"][1],
        json!({"name": "upstream-key", "mountPath": "/etc/portproof/upstream", "readOnly": true})
    );
}

#[test]
fn a_specification_that_cannot_work_is_refused_with_the_reason() {
    let check = |change: fn(&mut StackSpec)| {
        let mut spec = spec(&[]);
        change(&mut spec);
        Plan::check(spec, home()).unwrap_err()
    };
    assert_eq!(
        check(|spec| spec.image.clear()),
        PlanError::Missing { member: "image" }
    );
    assert_eq!(
        check(|spec| spec.sandbox = None),
        PlanError::Missing { member: "sandbox" }
    );
    assert_eq!(
        check(|spec| spec.gateway.as_mut().unwrap().port = 70_000),
        PlanError::Port { port: 70_000 }
    );
    assert_eq!(
        check(|spec| spec.faults = vec![99]),
        PlanError::Fault { number: 99 }
    );
    let upstream = check(|spec| spec.model.as_mut().unwrap().upstream = "ftp://x".into());
    assert_eq!(
        upstream,
        PlanError::Upstream {
            upstream: "ftp://x".into()
        }
    );
    let nameless = check(|spec| spec.model.as_mut().unwrap().upstream_model = "m".into());
    assert_eq!(
        nameless.to_string(),
        "the stack specification has `model.upstream_model` and no `model.upstream`"
    );
    let nothing = check(|spec| spec.model.as_mut().unwrap().split = Some(TrafficSplit::default()));
    assert_eq!(
        nothing,
        PlanError::Split {
            stable: 0,
            canary: 0
        }
    );
}

#[test]
fn faults_survive_being_written_down() {
    let faults = Faults::check(&[
        Fault::RollbackIncomplete as i32,
        Fault::RouteWeightsSkewed as i32,
    ])
    .unwrap();
    assert_eq!(Faults::read(&faults.write()), faults);
}

/// Every part and the gateway's data plane in one server.
async fn everything_answers() -> SocketAddr {
    async fn models(headers: HeaderMap) -> (StatusCode, [(&'static str, String); 1]) {
        assert_eq!(headers["host"], "models.portproof.internal");
        let version = headers
            .get("x-model-version")
            .and_then(|version| version.to_str().ok())
            .unwrap_or("stable");
        (
            StatusCode::OK,
            [(BACKEND_HEADER, format!("model-{version}"))],
        )
    }
    async fn mcp(State(()): State<()>, Json(request): Json<Value>) -> Json<Value> {
        Json(
            json!({"jsonrpc": "2.0", "id": request["id"], "result": {"supportedVersions": ["2026-07-28"]}}),
        )
    }
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/v1/models", get(models))
        .route("/mcp", post(mcp))
        .with_state(());
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A cluster whose controllers do their work at once, but for one Deployment that is left out.
fn controllers(api: &FakeApi, gateway: IpAddrText, left_out: &'static str) {
    api.on_write(move |object| {
        if object["kind"] == "Deployment" && object["metadata"]["name"] != left_out {
            object["status"] = json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
        }
        if object["kind"] == "Gateway" {
            object["status"] = json!({"addresses": [{"type": "IPAddress", "value": gateway}],
                "conditions": [{"type": "Programmed", "status": "True"}]});
        }
    });
}

type IpAddrText = &'static str;

async fn provisioned(
    left_out: &'static str,
    deadline_s: u32,
) -> (FakeApi, Vec<Event>, Result<(), StackError>) {
    let address = everything_answers().await;
    let api = FakeApi::default();
    controllers(&api, "127.0.0.1", left_out);
    let peers = objects::PARTS
        .into_iter()
        .fold(Peers::new().unwrap(), |peers, part| {
            peers.with(part, address)
        });
    let stage = Stage {
        home: Arc::new(home()),
        api: api.server(),
        peers,
    };
    let mut spec = spec(&[]);
    spec.gateway.as_mut().unwrap().port = u32::from(address.port());
    let (events, mut received) = Events::channel();
    let outcome = provision(
        &stage,
        ProvisionRequest {
            stack: Some(spec),
            deadline_s,
        },
        &events,
    )
    .await;
    drop(events);
    let mut told = Vec::new();
    while let Some(event) = received.recv().await {
        told.push(event.unwrap().event.unwrap());
    }
    (api, told, outcome)
}

#[tokio::test]
async fn provisioning_ends_once_every_part_answers() {
    let (api, events, outcome) = provisioned("", 60).await;
    outcome.unwrap();
    let applied = events
        .iter()
        .filter(|event| matches!(event, Event::Applied(object) if !object.uid.is_empty()))
        .count();
    assert_eq!(applied, all_objects(&plan(&[])).len());
    let ready: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Ready(ready) => Some(ready.part.as_str()),
            _ => None,
        })
        .collect();
    for part in objects::PARTS {
        assert!(ready.contains(&part.name()), "{ready:?}");
    }
    let Some(Event::Stack(StackReady {
        gateway_address,
        gateway_port,
    })) = events.last()
    else {
        panic!("{events:?}")
    };
    assert_eq!(gateway_address, "127.0.0.1");
    let agent = api
        .get(&Kind::DEPLOYMENT.object("portproof-r1", "agent"))
        .unwrap();
    let arguments = agent["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
    assert!(
        arguments.contains(&format!("http://127.0.0.1:{gateway_port}")),
        "{arguments}"
    );
}

#[tokio::test]
async fn a_part_that_never_comes_is_named() {
    let (_, _, outcome) = provisioned("catalog", 1).await;
    let Err(StackError::NotReady { waiting, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(waiting, "catalog, route/model, route/tools");
}

#[tokio::test]
async fn what_the_api_server_refuses_is_named() {
    let api = FakeApi::default();
    api.refuse(
        "/api/v1/namespaces/portproof-r1/services/agent",
        StatusCode::FORBIDDEN,
        "no",
    );
    let stage = Stage {
        home: Arc::new(home()),
        api: api.server(),
        peers: Peers::new().unwrap(),
    };
    let (events, _received) = Events::channel();
    let request = ProvisionRequest {
        stack: Some(spec(&[])),
        deadline_s: 5,
    };
    let status = tonic::Status::from(provision(&stage, request, &events).await.unwrap_err());
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    assert!(
        status
            .message()
            .starts_with("`Service/agent` was not applied: "),
        "{status}"
    );
}
