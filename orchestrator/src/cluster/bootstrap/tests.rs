//! The bootstrap against an API server of a few lines that accepts every create and has one pod to show.

use super::*;
use crate::cluster::{ClusterAccess, ObjectId};
use crate::ledger::{FORMAT, LedgerHeader, read};
use crate::rpc::RunAuthority;
use crate::verify::Role;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

const CLUSTER: &str = "cluster-uid";
const PODS: &str = "/api/v1/namespaces/portproof-r1/pods";

#[derive(Clone, Default)]
struct Api {
    /// Status of the pod in the list, and then each change of it.
    pod: Vec<Value>,
    /// The create that is answered with a conflict.
    taken: Option<&'static str>,
    created: Arc<Mutex<Vec<String>>>,
}

async fn answer(State(api): State<Api>, method: Method, uri: Uri, body: Bytes) -> Response {
    let json = |value: Value| axum::Json(value).into_response();
    let watching = uri.query().unwrap_or_default().contains("watch=true");
    match uri.path() {
        _ if method == Method::POST => api.create(&body),
        "/version" => json(version()),
        "/api/v1/namespaces/kube-system" => {
            json(json!({"metadata": {"name": "kube-system", "uid": CLUSTER}}))
        }
        PODS if watching => Body::from_stream(api.changes())
            .into_response()
            .into_response(),
        PODS => json(list("PodList", &[pod(&api.pod[0])])),
        "/api/v1/namespaces/portproof-r1/events" => json(list("EventList", &[warning()])),
        "/api/v1/namespaces/portproof-r1/pods/control-1/log" => "first\nlast\n".into_response(),
        other => panic!("nobody should ask for {other}"),
    }
}

impl Api {
    fn create(&self, body: &[u8]) -> Response {
        let mut object: Value = serde_json::from_slice(body).unwrap();
        let kind = object["kind"].as_str().unwrap().to_owned();
        if self.taken == Some(kind.as_str()) {
            let status = json!({"kind": "Status", "status": "Failure", "code": 409,
                "reason": "AlreadyExists", "message": "it is there"});
            return (StatusCode::CONFLICT, axum::Json(status)).into_response();
        }
        let mut created = self.created.lock().unwrap();
        object["metadata"]["uid"] = format!("uid-{}", created.len()).into();
        created.push(kind);
        (StatusCode::CREATED, axum::Json(object)).into_response()
    }

    /// The watch: every later state of the pod, and then silence.
    fn changes(&self) -> impl futures::Stream<Item = Result<String, Infallible>> + use<> {
        let later = self.pod.iter().skip(1);
        let lines = later.map(|status| {
            Ok(json!({"type": "MODIFIED", "object": pod(status)}).to_string() + "\n")
        });
        stream::iter(lines.collect::<Vec<_>>()).chain(stream::pending())
    }

    async fn cluster(&self) -> Cluster {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let directory = tempfile::tempdir().unwrap();
        let kubeconfig = directory.path().join("kubeconfig");
        let config = json!({
            "clusters": [{"name": "x", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "x", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        });
        fs_err::write(&kubeconfig, config.to_string()).unwrap();
        let access = ClusterAccess {
            kubeconfig,
            context: None,
        };
        Cluster::connect(Role::new("a").unwrap(), access)
            .await
            .unwrap()
    }
}

fn version() -> Value {
    let empty = [
        "buildDate",
        "compiler",
        "gitCommit",
        "gitTreeState",
        "goVersion",
        "platform",
    ];
    let mut version: Value = empty
        .iter()
        .map(|field| ((*field).to_owned(), json!("")))
        .collect();
    version["gitVersion"] = "v1.34.2".into();
    version["major"] = "1".into();
    version["minor"] = "34".into();
    version
}

fn list(kind: &str, items: &[Value]) -> Value {
    json!({"kind": kind, "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": items})
}

fn pod(status: &Value) -> Value {
    json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "control-1", "resourceVersion": "8"},
        "status": status})
}

fn warning() -> Value {
    json!({"metadata": {}, "reason": "Failed", "message": "image not present", "type": "Warning",
        "involvedObject": {"kind": "Pod", "name": "control-1"}})
}

fn waiting(reason: &str) -> Value {
    json!({"phase": "Pending", "containerStatuses": [{"name": "control", "image": "i", "imageID": "",
        "ready": false, "restartCount": 0, "state": {"waiting": {"reason": reason}}}]})
}

fn ready() -> Value {
    json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})
}

struct Attempt {
    outcome: Result<String, ClusterError>,
    created: Vec<String>,
    outstanding: Vec<(ObjectId, Option<String>)>,
}

async fn attempt(api: &Api) -> Attempt {
    let cluster = api.cluster().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.jsonl");
    let header = LedgerHeader {
        format: FORMAT,
        run_id: "r1".into(),
        namespace: "portproof-r1".into(),
        clusters: Vec::new(),
    };
    let ledger = Ledger::create(&path, &header).unwrap();
    let plan = Bootstrap {
        run: "r1".into(),
        role: "a".into(),
        namespace: "portproof-r1".into(),
        cluster_uid: CLUSTER.into(),
        image: "agent-stack:x".into(),
        image_pull_policy: "Never".into(),
        began: Timestamp::UNIX_EPOCH,
    };
    let credentials = RunAuthority::new("r1").unwrap().server("a").unwrap();
    let secrets = Secrets {
        agent: &credentials,
        upstream: &UpstreamAccess::default(),
    };
    let minute = Duration::from_mins(1);
    let outcome = bootstrap(&cluster, &ledger, &plan, &secrets, minute).await;
    let left = read(&path).unwrap().outstanding(CLUSTER).into_iter();
    Attempt {
        outcome,
        created: api.created.lock().unwrap().clone(),
        outstanding: left.map(|it| (it.object, it.uid)).collect(),
    }
}

#[tokio::test]
async fn every_object_is_in_the_ledger_with_its_uid_and_the_ready_pod_is_named() {
    let api = Api {
        pod: vec![
            json!({"phase": "Pending"}),
            waiting("ContainerCreating"),
            ready(),
        ],
        ..Api::default()
    };
    let attempt = attempt(&api).await;
    assert_eq!(attempt.outcome.unwrap(), "control-1");
    assert_eq!(attempt.created.first().unwrap(), "Namespace");
    assert_eq!(attempt.created.last().unwrap(), "Deployment");
    assert_eq!(attempt.outstanding.len(), attempt.created.len());
    assert!(attempt.outstanding.iter().all(|(_, uid)| uid.is_some()));
}

#[tokio::test]
async fn a_namespace_that_is_there_already_is_not_taken_over() {
    let api = Api {
        taken: Some("Namespace"),
        ..Api::default()
    };
    let attempt = attempt(&api).await;
    assert!(matches!(
        attempt.outcome,
        Err(ClusterError::AlreadyExists { .. })
    ));
    assert!(attempt.created.is_empty());
}

#[tokio::test]
async fn what_was_created_before_a_conflict_stays_in_the_ledger() {
    let api = Api {
        taken: Some("Secret"),
        ..Api::default()
    };
    let attempt = attempt(&api).await;
    assert!(attempt.outcome.is_err());
    let known = attempt
        .outstanding
        .iter()
        .filter(|(_, uid)| uid.is_some())
        .count();
    assert_eq!(known, attempt.created.len());
    assert!(!attempt.created.contains(&"Deployment".to_owned()));
}

#[tokio::test]
async fn a_pod_that_cannot_become_ready_is_given_up_with_all_that_is_known_of_it() {
    let api = Api {
        pod: vec![waiting("ErrImageNeverPull")],
        ..Api::default()
    };
    let error = attempt(&api).await.outcome.unwrap_err();
    insta::assert_snapshot!(error, @"cluster a: the control agent is not ready and will not be: the pod is Pending: ErrImageNeverPull; Pod control-1: Failed (image not present); its log ends with: first | last");
}
