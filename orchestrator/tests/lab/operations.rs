//! The stack as an operator sees it: Pod Security, memory, hostile programs, tools that come and go, metrics,
//! rollouts under load.

use crate::control_agent::{Run, with_run};
use crate::hostile::assert_the_interpreter_outlives_hostile_programs;
use crate::rollout::assert_rollouts_lose_no_call;
use crate::scenarios::repository;
use crate::stack_image;
use crate::tool_watch::{
    assert_the_status_says_why_a_tool_is_not_served, assert_tools_come_and_go_within_a_second,
};
use futures::FutureExt as _;
use futures::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt as _};
use portproof::lab::addons::gateway;
use portproof::lab::spec::GatewayKind;
use portproof::rpc::{AgentClient, LoadPlan, StackPlan};
use portproof_proto::names::{HTTP_PORT, PART_LABEL, Part};
use serde_json::json;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::{Duration, Instant};

const PROVISION: Duration = Duration::from_mins(3);
/// Longest wait for a rollout; a bound for a broken machine, not a measurement.
const PATIENCE: Duration = Duration::from_mins(3);

/// A client of the cluster a run is on, as whoever the kubeconfig names or, with `impersonated`, as someone else.
pub(crate) async fn client(run: &Run, impersonated: Option<&str>) -> Client {
    let mut file = Kubeconfig::read_from(&run.cluster.access().kubeconfig).unwrap();
    for user in file
        .auth_infos
        .iter_mut()
        .filter_map(|user| user.auth_info.as_mut())
    {
        user.impersonate = impersonated.map(str::to_owned);
    }
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(file, &options)
        .await
        .unwrap();
    config.proxy_url = None;
    Client::try_from(config).unwrap()
}

pub(crate) async fn provisioned(run: &Run) -> AgentClient {
    let agent = run.agent().await;
    let kind = match run.cluster.role().as_str() {
        "a" => GatewayKind::Traefik,
        _ => GatewayKind::Envoy,
    };
    let plan = StackPlan {
        image: stack_image().await,
        image_pull_policy: "Never".to_owned(),
        gateway_class: gateway::class(kind).to_owned(),
        gateway_port: 80,
        hostname: format!("{}.portproof.internal", run.id),
        runtime_class: "gvisor".to_owned(),
        upstream: None,
        split: (90, 10),
        faults: Vec::new(),
        deadline: PROVISION,
    };
    agent.provision(&plan, |_| {}).await.unwrap();
    agent
}

/// Uids of the pods of one part.
async fn pods(pods: &Api<Pod>, part: Part) -> BTreeSet<String> {
    let of_part = ListParams::default().labels(&format!("{PART_LABEL}={}", part.name()));
    let listed = pods.list(&of_part).await.unwrap();
    listed.iter().filter_map(kube::ResourceExt::uid).collect()
}

/// Gives the pod template of a part a new annotation and waits until new pods have replaced all old ones.
pub(crate) async fn roll(client: &Client, namespace: &str, part: Part) {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let of_namespace: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let old = pods(&of_namespace, part).await;
    let annotation =
        json!({"spec": {"template": {"metadata": {"annotations": {"rolled": "once"}}}}});
    deployments
        .patch(
            part.name(),
            &PatchParams::default(),
            &Patch::Merge(annotation),
        )
        .await
        .unwrap();
    let began = Instant::now();
    loop {
        let now = pods(&of_namespace, part).await;
        if now.len() == 1 && now.is_disjoint(&old) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{} does not roll", part.name());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn assert_a_rollout_loses_no_request(run: &Run, agent: &AgentClient) {
    let (client, namespace) = (client(run, None).await, run.id.namespace());
    let load = LoadPlan {
        requests: 12_000,
        rate: 200,
        connections: 16,
        timeout: Duration::from_secs(5),
        path: "/v1/models".to_owned(),
        version: None,
    };
    let rolling = async {
        roll(&client, &namespace, Part::ModelStable).await;
        roll(&client, &namespace, Part::ModelCanary).await;
        Instant::now()
    };
    let driving = async { (agent.drive(&load, || {}).await.unwrap(), Instant::now()) };
    let (rolled, (record, driven)) = tokio::join!(rolling, driving);
    assert!(rolled < driven, "the load ended before the rollout did");
    let failed: Vec<_> = record
        .samples
        .iter()
        .filter(|sample| sample.failure.is_some())
        .collect();
    assert!(failed.is_empty(), "{} failed: {failed:?}", failed.len());
    assert_eq!(record.samples.len(), 12_000);
}

/// A pod that runs as root on the host's network.
fn violating() -> Pod {
    let pod = json!({"metadata": {"name": "violating"}, "spec": {"hostNetwork": true,
        "containers": [{"name": "c", "image": "i", "securityContext": {"privileged": true}}]}});
    serde_json::from_value(pod).unwrap()
}

async fn assert_the_namespace_is_restricted_and_all_of_the_stack_runs_in_it(run: &Run) {
    let (client, name) = (client(run, None).await, run.id.namespace());
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = namespaces.get(&name).await.unwrap();
    for mode in ["enforce", "warn", "audit"] {
        let label = format!("pod-security.kubernetes.io/{mode}");
        assert_eq!(namespace.labels()[&label], "restricted");
        assert_eq!(namespace.labels()[&format!("{label}-version")], "latest");
    }
    let pods: Api<Pod> = Api::namespaced(client, &name);
    let refused = pods.create(&PostParams::default(), &violating()).await;
    let refused = refused.unwrap_err().to_string();
    let violation = "violates PodSecurity \"restricted:latest\"";
    assert!(refused.contains(violation), "{refused}");
    let running = pods.list(&ListParams::default()).await.unwrap();
    let parts: BTreeSet<_> = running
        .iter()
        .filter(|pod| pod.status.as_ref().and_then(|it| it.phase.as_deref()) == Some("Running"))
        .map(|pod| pod.labels()[PART_LABEL].as_str())
        .collect();
    assert_eq!(parts, Part::ALL.iter().map(|part| part.name()).collect());
}

async fn assert_the_idle_stack_takes_less_memory_than_it_may(run: &Run) {
    // The kubelet takes its figures every 10 s or so; the first ones are of pods that still start.
    tokio::time::sleep(Duration::from_secs(30)).await;
    let measured = tokio::process::Command::new(repository().join("ci/bench/stack-memory"))
        .arg(&run.cluster.access().kubeconfig)
        .arg(run.id.namespace())
        .output()
        .await
        .unwrap();
    let table = String::from_utf8_lossy(&measured.stdout);
    let why = String::from_utf8_lossy(&measured.stderr);
    let role = run.cluster.role();
    assert!(measured.status.success(), "{role}:\n{table}{why}");
}

async fn assert_every_part_tells_its_metrics(run: &Run) {
    let (client, namespace) = (client(run, None).await, run.id.namespace());
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    let mut told = BTreeSet::new();
    for pod in pods.list(&ListParams::default()).await.unwrap() {
        let (name, part) = (pod.name_any(), pod.labels()[PART_LABEL].clone());
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}:{HTTP_PORT}/proxy/metrics");
        let request = http::Request::get(path).body(Vec::new()).unwrap();
        let metrics = client.request_text(request).await.unwrap();
        let families = metrics.lines().filter(|line| line.starts_with("# TYPE "));
        assert!(families.count() > 0, "{part}: {metrics}");
        told.insert(part);
    }
    let all = Part::ALL.iter().map(|part| part.name().to_owned());
    assert_eq!(told, all.collect());
}

async fn operated(role: &str) {
    with_run(role, async |run| {
        let agent = provisioned(run).await;
        assert_the_namespace_is_restricted_and_all_of_the_stack_runs_in_it(run).await;
        assert_the_idle_stack_takes_less_memory_than_it_may(run).await;
        assert_the_interpreter_outlives_hostile_programs(run).await;
        run.seed(&agent).await;
        assert_tools_come_and_go_within_a_second(run).await;
        assert_the_status_says_why_a_tool_is_not_served(run).await;
        assert_every_part_tells_its_metrics(run).await;
        assert_rollouts_lose_no_call(run, &agent).await;
        assert_a_rollout_loses_no_request(run, &agent).await;
    })
    .await;
}

/// One stack on each cluster is looked at from every side: making one takes longer than most looks.
#[tokio::test]
#[ignore = "needs the lab"]
async fn the_stack_is_restricted_small_and_sturdy_and_rolls_without_loss_behind_either_gateway() {
    let both = ["a", "b"].map(|role| AssertUnwindSafe(operated(role)).catch_unwind());
    for outcome in join_all(both).await {
        if let Err(panic) = outcome {
            resume_unwind(panic);
        }
    }
}
