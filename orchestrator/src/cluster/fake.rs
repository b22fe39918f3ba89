//! A small API server on loopback for tests: it keeps objects, honours preconditions and finalizers, and notes every
//! change it is asked for.

use super::{Cluster, ClusterAccess, ObjectId};
use crate::verify::Role;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

/// UID of the fake's `kube-system` namespace.
pub(crate) const CLUSTER_UID: &str = "5d0c1b5e-cluster";

const CORE: &str = "/api/v1";
const TOOLS: &str = "/apis/tools.portproof.dev/v1alpha1";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

#[derive(Default)]
struct Store {
    objects: BTreeMap<String, Value>,
    /// `METHOD path` of every request that is no read, in order.
    changes: Vec<String>,
    /// Query and body of the same requests.
    details: Vec<(HashMap<String, String>, String)>,
    /// A label that admission puts on whatever is created.
    label: Option<(String, String)>,
    /// Status with which requests to a path are answered instead.
    answers: BTreeMap<String, Vec<u16>>,
    /// Paths that may not be read.
    forbidden: BTreeSet<String>,
    counter: u32,
}

/// The fake. The server ends with the runtime of the test.
#[derive(Clone, Default)]
pub(crate) struct FakeApi {
    store: Arc<Mutex<Store>>,
}

impl FakeApi {
    /// Starts the server and connects to it the way a real cluster is connected to.
    pub(crate) async fn start() -> (Self, Cluster) {
        let fake = Self::default();
        let identity =
            json!({"kind": "Namespace", "metadata": {"name": "kube-system", "uid": CLUSTER_UID}});
        fake.put(&format!("{CORE}/namespaces/kube-system"), identity);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let directory = tempfile::tempdir().unwrap();
        let kubeconfig = directory.path().join("kubeconfig");
        fs_err::write(&kubeconfig, kubeconfig_for(&format!("http://{address}"))).unwrap();
        let access = ClusterAccess {
            kubeconfig,
            context: None,
        };
        let cluster = Cluster::connect(Role::new("a").unwrap(), access)
            .await
            .unwrap();
        (fake, cluster)
    }

    /// Puts an object there, as if someone had created it.
    pub(crate) fn put(&self, path: &str, mut object: Value) {
        let mut store = self.store();
        store.counter += 1;
        object["metadata"]["resourceVersion"] = store.counter.to_string().into();
        store.objects.insert(path.to_owned(), object);
    }

    /// Whether there is an object at the path.
    pub(crate) fn holds(&self, path: &str) -> bool {
        self.store().objects.contains_key(path)
    }

    /// `METHOD path` of every change that was asked for, in order.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.store().changes.clone()
    }

    /// The body of every change that was asked for, in order.
    pub(crate) fn bodies(&self) -> Vec<String> {
        let store = self.store();
        store.details.iter().map(|(_, body)| body.clone()).collect()
    }

    /// The parameters of every change that was asked for, in order.
    pub(crate) fn queries(&self) -> Vec<HashMap<String, String>> {
        let store = self.store();
        store
            .details
            .iter()
            .map(|(query, _)| query.clone())
            .collect()
    }

    /// The object at the path.
    pub(crate) fn object(&self, path: &str) -> Option<Value> {
        self.store().objects.get(path).cloned()
    }

    /// Admission puts this label on whatever is created from now on.
    pub(crate) fn admit_with_label(&self, label: &str, value: &str) {
        self.store().label = Some((label.to_owned(), value.to_owned()));
    }

    /// The next changes at a path are answered with these statuses.
    pub(crate) fn refuse(&self, path: &str, statuses: &[u16]) {
        self.store()
            .answers
            .insert(path.to_owned(), statuses.to_vec());
    }

    /// Reading this path, an object or a list, is forbidden from now on.
    pub(crate) fn forbid(&self, path: &str) {
        self.store().forbidden.insert(path.to_owned());
    }

    /// Somebody takes the finalizers off an object.
    pub(crate) fn finish(&self, path: &str) {
        let mut store = self.store();
        store.objects.remove(path);
        store
            .objects
            .retain(|it, _| !it.starts_with(&format!("{path}/")));
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap()
    }
}

/// A kubeconfig with one context, `fake`.
pub(crate) fn kubeconfig_for(server: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": [{"name": "fake", "cluster": {"server": server}}],
        "users": [{"name": "fake", "user": {}}],
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
    })
    .to_string()
}

/// Path of a namespace, a cluster role or a definition.
pub(crate) fn path_of(object: &ObjectId) -> String {
    let name = &object.name;
    match (object.kind.as_str(), &object.namespace) {
        ("Namespace", _) => format!("{CORE}/namespaces/{name}"),
        ("CustomResourceDefinition", _) => format!("{DEFINITIONS}/{name}"),
        ("ClusterRole", _) => format!("/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}"),
        ("Tool", Some(namespace)) => format!("{TOOLS}/namespaces/{namespace}/tools/{name}"),
        ("Pod", Some(namespace)) => format!("{CORE}/namespaces/{namespace}/pods/{name}"),
        ("Secret", Some(namespace)) => format!("{CORE}/namespaces/{namespace}/secrets/{name}"),
        _ => panic!("the fake does not know {object}"),
    }
}

async fn answer(
    State(fake): State<FakeApi>,
    method: Method,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    body: String,
) -> Response {
    let path = uri.path();
    let mut store = fake.store();
    if method == Method::GET {
        return store.read(path, &query);
    }
    store.changes.push(format!("{method} {path}"));
    store.details.push((query.clone(), body.clone()));
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    let planned = store
        .answers
        .get_mut(path)
        .and_then(|it| (!it.is_empty()).then(|| it.remove(0)));
    match planned {
        Some(status) => failure(status, "Planned"),
        None if method == Method::POST => store.create(path, &query, body),
        None if method == Method::DELETE => store.delete(path, &body),
        None => failure(405, "MethodNotAllowed"),
    }
}

impl Store {
    fn read(&self, path: &str, query: &HashMap<String, String>) -> Response {
        if self.forbidden.contains(path) {
            return failure(403, "Forbidden");
        }
        if path == "/version" {
            return success(version());
        }
        if let Some(object) = self.objects.get(path) {
            return success(object.clone());
        }
        let (parent, plural) = path.rsplit_once('/').unwrap_or_default();
        let items: Vec<&Value> = self
            .objects
            .iter()
            .filter(|(key, _)| in_collection(key, parent, plural))
            .map(|(_, object)| object)
            .filter(|object| selected(object, query))
            .collect();
        let known = [
            "namespaces",
            "clusterroles",
            "clusterrolebindings",
            "pods",
            "tools",
        ];
        if known.contains(&plural) {
            return success(
                json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items}),
            );
        }
        failure(404, "NotFound")
    }

    fn create(
        &mut self,
        path: &str,
        query: &HashMap<String, String>,
        mut object: Value,
    ) -> Response {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let path = format!("{path}/{name}");
        if self.objects.contains_key(&path) {
            return failure(409, "AlreadyExists");
        }
        self.counter += 1;
        object["metadata"]["uid"] = format!("uid-{}", self.counter).into();
        object["metadata"]["resourceVersion"] = self.counter.to_string().into();
        if let Some((label, value)) = &self.label {
            object["metadata"]["labels"][label] = value.as_str().into();
        }
        if !query.contains_key("dryRun") {
            self.objects.insert(path, object.clone());
        }
        success(object)
    }

    fn delete(&mut self, path: &str, options: &Value) -> Response {
        let Some(object) = self.objects.get_mut(path) else {
            return failure(404, "NotFound");
        };
        for field in ["uid", "resourceVersion"] {
            let wanted = &options["preconditions"][field];
            if !wanted.is_null() && *wanted != object["metadata"][field] {
                return failure(409, "Conflict");
            }
        }
        object["metadata"]["deletionTimestamp"] = "2026-11-21T08:00:00Z".into();
        let answer = object.clone();
        if answer["metadata"]["finalizers"].is_null() {
            let inside = format!("{path}/");
            self.objects
                .retain(|key, _| key != path && !key.starts_with(&inside));
        }
        success(answer)
    }
}

fn in_collection(key: &str, parent: &str, plural: &str) -> bool {
    let Some(rest) = key
        .strip_prefix(parent)
        .and_then(|rest| rest.strip_prefix('/'))
    else {
        return false;
    };
    let parts: Vec<&str> = rest.split('/').collect();
    match parts.as_slice() {
        [collection, _] | ["namespaces", _, collection, _] => *collection == plural,
        _ => false,
    }
}

fn selected(object: &Value, query: &HashMap<String, String>) -> bool {
    let labels = &object["metadata"]["labels"];
    query
        .get("labelSelector")
        .is_none_or(|selector| match selector.split_once('=') {
            Some((label, value)) => labels[label] == value,
            None => !labels[selector].is_null(),
        })
}

fn version() -> Value {
    let fields = [
        "buildDate",
        "compiler",
        "gitCommit",
        "gitTreeState",
        "goVersion",
        "platform",
    ];
    let mut version: Value = fields
        .iter()
        .map(|field| ((*field).to_owned(), json!("")))
        .collect();
    version["gitVersion"] = "v1.34.2".into();
    version["major"] = "1".into();
    version["minor"] = "34".into();
    version
}

fn success(value: Value) -> Response {
    axum::Json(value).into_response()
}

fn failure(code: u16, reason: &str) -> Response {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "code": code, "reason": reason, "message": format!("the fake says {reason}"),
    });
    let code = StatusCode::from_u16(code).unwrap();
    (code, axum::Json(status)).into_response()
}
