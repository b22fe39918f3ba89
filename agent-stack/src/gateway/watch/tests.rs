//! The watches against an API server in memory.

use super::*;
use crate::control::fake_api::FakeApi;
use http::{Method, StatusCode};
use portproof_proto::tool::{READY, ToolStatus};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinHandle;

const CRD: &str =
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/tools.tools.portproof.dev";
const TOOLS: &str = "/apis/tools.portproof.dev/v1alpha1/namespaces/ns/tools";
const SERVICES: &str = "/api/v1/namespaces/ns/services";
const CONFIG_MAPS: &str = "/api/v1/namespaces/ns/configmaps";
/// More than this is a hang.
const DEADLINE: Duration = Duration::from_secs(20);

/// An API server and a gateway that watches it.
struct Cluster {
    api: FakeApi,
    registry: Arc<Registry>,
    watching: JoinHandle<()>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl Cluster {
    fn start(prepare: impl FnOnce(&FakeApi)) -> Self {
        let api = FakeApi::default();
        api.put(
            CRD,
            json!({"metadata": {"name": "tools.tools.portproof.dev"}}),
        );
        prepare(&api);
        let registry = Arc::new(Registry::default());
        let watching = tokio::spawn(run(api.client(), "ns".into(), Arc::clone(&registry)));
        Self {
            api,
            registry,
            watching,
        }
    }

    /// A cluster with the Service that the tools need, and every watch open.
    async fn with_backend() -> Self {
        let cluster = Self::start(|api| put_service(api, "catalog"));
        cluster.is_watched().await;
        cluster
    }

    async fn is_watched(&self) {
        let collections = [TOOLS, SERVICES, CONFIG_MAPS];
        let open = || collections.iter().all(|at| self.api.watches(at) == 1);
        self.until("every watch is open", open).await;
    }

    async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let waited = tokio::time::timeout(DEADLINE, async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(
            waited.await.is_ok(),
            "never happened: {what}; {:?}",
            self.served()
        );
    }

    fn served(&self) -> Vec<String> {
        self.registry.served().keys().cloned().collect()
    }

    async fn serves(&self, names: &[&str]) {
        self.until(&format!("{names:?} are served"), || self.served() == names)
            .await;
    }

    /// Waits until the Tool has a reason for its condition `Accepted`.
    async fn is_reported(&self, tool: &str, reason: &str) {
        let reported = || self.condition(tool, "Accepted")["reason"] == reason;
        self.until(&format!("{tool} is {reason}"), reported).await;
    }

    fn condition(&self, tool: &str, kind: &str) -> Value {
        let object = self.api.get(&format!("{TOOLS}/{tool}")).unwrap();
        let status = object.get("status").cloned().unwrap_or_default();
        let status: ToolStatus = serde_json::from_value(status).unwrap_or_default();
        let found = status.conditions.into_iter().find(|it| it.type_ == kind);
        found.map_or(Value::Null, |condition| json!(condition))
    }

    fn status_writes(&self) -> usize {
        let writes = self.api.writes();
        writes
            .iter()
            .filter(|sent| sent.method == Method::PATCH)
            .count()
    }
}

fn spec(name: &str) -> Value {
    json!({"name": name, "description": "d", "inputSchema": {"type": "object"},
        "backend": {"type": "Http", "http": {"serviceName": "catalog", "port": 80, "path": "/"}}})
}

fn put_spec(api: &FakeApi, object: &str, spec: &Value) {
    let tool = json!({"apiVersion": "tools.portproof.dev/v1alpha1", "kind": "Tool",
        "metadata": {"name": object, "namespace": "ns"}, "spec": spec});
    api.put(&format!("{TOOLS}/{object}"), tool);
}

fn put_tool(api: &FakeApi, name: &str) {
    put_spec(api, name, &spec(name));
}

fn put_service(api: &FakeApi, name: &str) {
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "ns"}});
    api.put(&format!("{SERVICES}/{name}"), service);
}

#[tokio::test]
async fn a_tool_that_is_added_changed_and_deleted_is_served_as_it_is() {
    let cluster = Cluster::with_backend().await;
    put_tool(&cluster.api, "a");
    cluster.serves(&["a"]).await;
    put_spec(&cluster.api, "a", &spec("renamed"));
    cluster.serves(&["renamed"]).await;
    cluster.api.remove(&format!("{TOOLS}/a"));
    cluster.serves(&[]).await;
}

#[tokio::test]
async fn a_served_tool_is_reported_as_accepted_and_ready() {
    let cluster = Cluster::with_backend().await;
    put_tool(&cluster.api, "a");
    cluster.is_reported("a", "Valid").await;
    assert_eq!(cluster.condition("a", READY)["status"], "True");
    assert_eq!(cluster.condition("a", READY)["observedGeneration"], 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_tool_is_reported_until_it_is_put_right() {
    let cluster = Cluster::with_backend().await;
    let mut bad = spec("a");
    bad["inputSchema"] = json!({"type": "object", "properties": {"x": {"type": "number-ish"}}});
    put_spec(&cluster.api, "a", &bad);
    cluster.is_reported("a", "InvalidSchema").await;
    assert_eq!(cluster.condition("a", READY)["reason"], "NotAccepted");
    put_tool(&cluster.api, "a");
    cluster.is_reported("a", "Valid").await;
}

#[tokio::test]
async fn a_tool_nobody_can_read_is_reported_and_the_others_are_served() {
    let cluster = Cluster::start(|api| {
        put_service(api, "catalog");
        put_spec(api, "broken", &json!({"name": 7}));
        put_tool(api, "whole");
    });
    cluster.serves(&["whole"]).await;
    cluster.is_reported("broken", "InvalidSpec").await;
    cluster.is_reported("whole", "Valid").await;
}

#[tokio::test]
async fn a_backend_that_is_missing_is_reported_until_it_appears_and_again_when_it_goes() {
    let cluster = Cluster::start(|api| put_tool(api, "a"));
    cluster.is_reported("a", "BackendNotFound").await;
    assert_eq!(cluster.condition("a", READY)["status"], "False");
    assert_eq!(cluster.served(), ["a"], "calls must go on reaching it");
    put_service(&cluster.api, "catalog");
    cluster.is_reported("a", "Valid").await;
    cluster.api.remove(&format!("{SERVICES}/catalog"));
    cluster.is_reported("a", "BackendNotFound").await;
}

#[tokio::test]
async fn documents_that_are_missing_are_reported_until_they_appear() {
    let cluster = Cluster::with_backend().await;
    let mut search = spec("search");
    search["backend"] = json!({"type": "Documents",
        "documents": {"configMapName": "manuals", "queryArgument": "q", "limit": 3}});
    put_spec(&cluster.api, "search", &search);
    cluster.is_reported("search", "BackendNotFound").await;
    let manuals = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "manuals"}});
    cluster.api.put(&format!("{CONFIG_MAPS}/manuals"), manuals);
    cluster.is_reported("search", "Valid").await;
}

#[tokio::test]
async fn a_gateway_that_may_not_see_services_says_nothing_about_them() {
    let cluster = Cluster::start(|api| {
        api.withhold(SERVICES);
        put_tool(api, "a");
    });
    cluster.is_reported("a", "Valid").await;
}

#[tokio::test]
async fn the_second_tool_of_a_name_is_reported_and_takes_over_when_the_first_goes() {
    let cluster = Cluster::with_backend().await;
    put_spec(&cluster.api, "first", &spec("x"));
    put_spec(&cluster.api, "second", &spec("x"));
    cluster.is_reported("second", "NameTaken").await;
    cluster.is_reported("first", "Valid").await;
    cluster.api.remove(&format!("{TOOLS}/first"));
    cluster.is_reported("second", "Valid").await;
}

#[tokio::test]
async fn what_happened_while_the_watch_expired_is_seen_by_the_next_list() {
    let cluster = Cluster::with_backend().await;
    put_tool(&cluster.api, "gone");
    cluster.serves(&["gone"]).await;
    cluster.api.expire_watches();
    // Nobody watches now, and what happens is not kept for those who come back.
    cluster.api.remove(&format!("{TOOLS}/gone"));
    put_tool(&cluster.api, "new");
    cluster.serves(&["new"]).await;
    cluster.is_watched().await;
    put_tool(&cluster.api, "newer");
    cluster.serves(&["new", "newer"]).await;
}

#[tokio::test]
async fn a_watch_whose_connection_breaks_goes_on_where_it_was() {
    let cluster = Cluster::with_backend().await;
    put_tool(&cluster.api, "a");
    cluster.serves(&["a"]).await;
    cluster.api.break_watches();
    put_tool(&cluster.api, "b");
    cluster.serves(&["a", "b"]).await;
}

#[tokio::test]
async fn tools_are_served_once_there_is_the_kind_of_them() {
    let api = FakeApi::default();
    let registry = Arc::new(Registry::default());
    let watching = tokio::spawn(run(api.client(), "ns".into(), Arc::clone(&registry)));
    let cluster = Cluster {
        api,
        registry,
        watching,
    };
    cluster
        .until("the registry is in sync", || cluster.registry.is_synced())
        .await;
    cluster.api.put(
        CRD,
        json!({"metadata": {"name": "tools.tools.portproof.dev"}}),
    );
    put_tool(&cluster.api, "a");
    cluster.serves(&["a"]).await;
}

#[tokio::test]
async fn each_status_is_written_once_however_many_events_come_in_between() {
    let cluster = Cluster::with_backend().await;
    let names: Vec<_> = (0..60).map(|number| format!("t{number:02}")).collect();
    for name in &names {
        put_tool(&cluster.api, name);
    }
    for name in &names {
        cluster.is_reported(name, "Valid").await;
    }
    // One more, so that every event before it has been seen.
    put_tool(&cluster.api, "zz-last");
    cluster.is_reported("zz-last", "Valid").await;
    assert_eq!(cluster.status_writes(), names.len() + 1);
}

#[tokio::test]
async fn a_status_that_cannot_be_written_is_tried_again() {
    let cluster = Cluster::start(|api| {
        put_service(api, "catalog");
        put_tool(api, "a");
        api.refuse(
            &format!("{TOOLS}/a/status"),
            StatusCode::CONFLICT,
            "not now",
        );
    });
    cluster
        .until("it is tried twice", || cluster.status_writes() >= 2)
        .await;
    assert_eq!(cluster.condition("a", "Accepted"), Value::Null);
}
