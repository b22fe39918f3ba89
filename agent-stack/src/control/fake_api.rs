//! An API server in memory: enough of the Kubernetes conventions to test what the agent sends and how it takes the answers.

mod rights;
mod selection;
mod watch;

use super::api::ApiServer;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use rights::may;
use selection::{in_collection, is_collection, selected};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use watch::Watches;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) method: Method,
    pub(crate) body: Bytes,
}

type Hook = Box<dyn Fn(&mut Value) + Send>;

#[derive(Default)]
struct Store {
    objects: BTreeMap<String, Value>,
    log: Vec<Sent>,
    hooks: Vec<Hook>,
    refusals: HashMap<String, (StatusCode, String)>,
    withheld: HashSet<String>,
    watches: Watches,
    counter: u64,
}

/// The server; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct FakeApi(Arc<Mutex<Store>>);

impl FakeApi {
    /// The agent's view of it.
    pub(crate) fn server(&self) -> ApiServer {
        ApiServer::new(self.client())
    }

    pub(crate) fn client(&self) -> kube::Client {
        let router = Router::new().fallback(handle).with_state(self.clone());
        kube::Client::new(router, "default")
    }

    /// Puts an object at its path, as if someone had created it.
    pub(crate) fn put(&self, path: &str, mut object: Value) -> Value {
        let mut store = self.store();
        store.stamp(&mut object, "someone");
        store.keep(path, &object);
        object
    }

    /// Takes an object away, as if someone had deleted it.
    pub(crate) fn remove(&self, path: &str) {
        let mut store = self.store();
        store.counter += 1;
        if let Some(mut object) = store.objects.remove(path) {
            object["metadata"]["resourceVersion"] = json!(store.counter.to_string());
            let version = store.counter;
            store.watches.announce("DELETED", path, &object, version);
        }
    }

    /// Ends every watch with 410: what happened until now is forgotten and must be listed again.
    pub(crate) fn expire_watches(&self) {
        self.store().watches.expire();
    }

    /// Breaks the connection of every watch.
    pub(crate) fn break_watches(&self) {
        self.store().watches.break_off();
    }

    /// How many watches are open on a collection.
    pub(crate) fn watches(&self, collection: &str) -> usize {
        self.store().watches.count(collection)
    }

    /// Refuses to read a path.
    pub(crate) fn withhold(&self, path: &str) {
        self.store().withheld.insert(path.to_owned());
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.store().objects.get(path).cloned()
    }

    /// Does something to every object that is written, as a controller or webhook would.
    pub(crate) fn on_write(&self, hook: impl Fn(&mut Value) + Send + 'static) {
        self.store().hooks.push(Box::new(hook));
    }

    /// Refuses writes to a path.
    pub(crate) fn refuse(&self, path: &str, status: StatusCode, message: &str) {
        self.store()
            .refusals
            .insert(path.to_owned(), (status, message.to_owned()));
    }

    /// How many requests came in.
    pub(crate) fn requests(&self) -> usize {
        self.store().log.len()
    }

    /// Everything that was sent to change something.
    pub(crate) fn writes(&self) -> Vec<Sent> {
        let store = self.store();
        store
            .log
            .iter()
            .filter(|sent| sent.method != Method::GET)
            .cloned()
            .collect()
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap()
    }
}

async fn handle(
    State(api): State<FakeApi>,
    method: Method,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    assert!(
        may(&method, &path, &query),
        "the agent asks for what it may not: {method} {uri}"
    );
    let mut store = api.store();
    store.log.push(Sent {
        method: method.clone(),
        body: body.clone(),
    });
    if let Some((status, message)) = store.refusals.get(&path).filter(|_| method != Method::GET) {
        return refuse(*status, message);
    }
    if path.contains("/tools.portproof.dev/")
        && !store
            .objects
            .keys()
            .any(|path| path.ends_with("/tools.tools.portproof.dev"))
    {
        return refuse(
            StatusCode::NOT_FOUND,
            "the server could not find the requested resource",
        );
    }
    if store.withheld.contains(&path) && method == Method::GET {
        return refuse(StatusCode::FORBIDDEN, "forbidden");
    }
    match method {
        Method::GET if query.get("watch").is_some_and(|watch| watch == "true") => {
            store.watches.open(&path, &query)
        }
        Method::GET => store.read(&path, &query),
        Method::POST => store.create(&path, &query, &body),
        Method::PATCH if headers["content-type"] == "application/json-patch+json" => {
            store.json_patch(&path, &body)
        }
        Method::PATCH => store.apply(&path, &query, &body),
        Method::DELETE => store.delete(&path, &body),
        _ => refuse(StatusCode::METHOD_NOT_ALLOWED, "no such verb"),
    }
}

impl Store {
    fn read(&self, path: &str, query: &HashMap<String, String>) -> Response {
        if let Some(object) = self.objects.get(path) {
            return answer(StatusCode::OK, object);
        }
        if !is_collection(path) {
            return refuse(StatusCode::NOT_FOUND, "not found");
        }
        let items: Vec<_> = self
            .objects
            .iter()
            .filter(|(at, object)| in_collection(at, path) && selected(object, query))
            .map(|(_, object)| object)
            .collect();
        answer(
            StatusCode::OK,
            &json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": self.counter.to_string()}, "items": items}),
        )
    }

    /// Stores an object and tells those who watch.
    fn keep(&mut self, path: &str, object: &Value) {
        self.objects.insert(path.to_owned(), object.clone());
        self.watches
            .announce("MODIFIED", path, object, self.counter);
    }

    fn create(&mut self, path: &str, query: &HashMap<String, String>, body: &Bytes) -> Response {
        let mut object: Value = serde_json::from_slice(body).unwrap();
        let at = format!("{path}/{}", object["metadata"]["name"].as_str().unwrap());
        if self.objects.contains_key(&at) {
            return refuse(StatusCode::CONFLICT, "already exists");
        }
        self.stamp(&mut object, &query["fieldManager"]);
        if !query.contains_key("dryRun") {
            self.keep(&at, &object);
        }
        answer(StatusCode::CREATED, &object)
    }

    fn apply(&mut self, path: &str, query: &HashMap<String, String>, body: &Bytes) -> Response {
        let mut object: Value = serde_json::from_slice(body).unwrap();
        if let Some(owner) = path.strip_suffix("/status") {
            return self.apply_status(owner, &object["status"]);
        }
        self.stamp(&mut object, &query["fieldManager"]);
        self.keep(path, &object);
        answer(StatusCode::OK, &object)
    }

    fn apply_status(&mut self, path: &str, status: &Value) -> Response {
        let Some(mut object) = self.objects.get(path).cloned() else {
            return refuse(StatusCode::NOT_FOUND, "not found");
        };
        self.counter += 1;
        object["status"] = status.clone();
        object["metadata"]["resourceVersion"] = json!(self.counter.to_string());
        self.keep(path, &object);
        answer(StatusCode::OK, &object)
    }

    fn json_patch(&mut self, path: &str, body: &Bytes) -> Response {
        let operations: Vec<Value> = serde_json::from_slice(body).unwrap();
        let Some(mut object) = self.objects.get(path).cloned() else {
            return refuse(StatusCode::NOT_FOUND, "not found");
        };
        for operation in operations {
            let (parent, member) = operation["path"]
                .as_str()
                .unwrap()
                .rsplit_once('/')
                .unwrap();
            let place = &mut object.pointer_mut(parent).unwrap()[member];
            match operation["op"].as_str().unwrap() {
                "test" if *place != operation["value"] => {
                    return refuse(StatusCode::UNPROCESSABLE_ENTITY, "test failed");
                }
                "test" => {}
                "add" => *place = operation["value"].clone(),
                other => panic!("the fake knows no {other}"),
            }
        }
        self.counter += 1;
        object["metadata"]["resourceVersion"] = json!(self.counter.to_string());
        self.keep(path, &object);
        answer(StatusCode::OK, &object)
    }

    fn delete(&mut self, path: &str, body: &Bytes) -> Response {
        let options: Value = serde_json::from_slice(body).unwrap();
        let Some(object) = self.objects.get(path) else {
            return refuse(StatusCode::NOT_FOUND, "not found");
        };
        if options["preconditions"]["uid"] != object["metadata"]["uid"] {
            return refuse(StatusCode::CONFLICT, "precondition failed");
        }
        self.objects.remove(path);
        answer(
            StatusCode::OK,
            &json!({"kind": "Status", "status": "Success"}),
        )
    }

    /// Writes what an API server writes into an object, then lets the hooks at it.
    fn stamp(&mut self, object: &mut Value, manager: &str) {
        self.counter += 1;
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.insert("uid".into(), json!(format!("uid-{}", self.counter)));
        metadata.insert("resourceVersion".into(), json!(self.counter.to_string()));
        metadata.insert("generation".into(), json!(1));
        metadata.insert("creationTimestamp".into(), json!("2026-01-01T00:00:00Z"));
        metadata.insert(
            "managedFields".into(),
            json!([{"manager": manager, "operation": "Update"}]),
        );
        for hook in &self.hooks {
            hook(object);
        }
    }
}

fn answer(status: StatusCode, object: &Value) -> Response {
    (status, axum::Json(object.clone())).into_response()
}

fn refuse(status: StatusCode, message: &str) -> Response {
    let explained = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "message": message, "code": status.as_u16()});
    answer(status, &explained)
}
