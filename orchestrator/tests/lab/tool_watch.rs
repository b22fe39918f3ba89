//! Tools that come, change and go while the tool gateway serves, and what it writes back to their status.

use crate::control_agent::Run;
use crate::operations::client;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use portproof_proto::names::{HTTP_PORT, PART_LABEL, Part};
use portproof_proto::tool::Tool;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Longest time until a change of a `Tool` shows in `tools/list`.
const SHOWS: Duration = Duration::from_secs(1);
/// Longest wait for a status; a bound for a broken machine, not a measurement.
const PATIENCE: Duration = Duration::from_secs(20);
/// A revision of MCP that needs no handshake.
const REVISION: &str = "2026-07-28";

/// The tool gateway of a run and the `Tool` objects it watches.
struct Watched {
    client: Client,
    tools: Api<Tool>,
    endpoint: String,
}

impl Watched {
    async fn of(run: &Run) -> Self {
        let (client, namespace) = (client(run, None).await, run.id.namespace());
        let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
        let part = Part::ToolGateway.name();
        let of_part = ListParams::default().labels(&format!("{PART_LABEL}={part}"));
        let pod = pods
            .list(&of_part)
            .await
            .unwrap()
            .items
            .remove(0)
            .name_any();
        Self {
            tools: Api::namespaced(client.clone(), &namespace),
            endpoint: format!("/api/v1/namespaces/{namespace}/pods/{pod}:{HTTP_PORT}/proxy/mcp"),
            client,
        }
    }

    /// Name and description of every tool, in the order of `tools/list`.
    async fn listed(&self) -> Vec<(String, String)> {
        // The proxy would name itself; the gateway serves those who ask for it.
        let request = list_tools(&self.endpoint, Part::ToolGateway.name());
        let answer: Value = self.client.request(request).await.unwrap();
        let tools = answer["result"]["tools"].as_array();
        let text = |tool: &Value, field: &str| tool[field].as_str().unwrap().to_owned();
        tools
            .unwrap_or_else(|| panic!("{answer}"))
            .iter()
            .map(|tool| (text(tool, "name"), text(tool, "description")))
            .collect()
    }

    /// Waits until the list is as wanted, which must be soon after the change that came before.
    async fn shows(&self, change: &str, wanted: impl Fn(&[(String, String)]) -> bool) {
        let changed = Instant::now();
        loop {
            let listed = self.listed().await;
            if wanted(&listed) {
                return;
            }
            assert!(
                changed.elapsed() < SHOWS,
                "{change} does not show: {listed:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for the condition `Accepted` of a tool; its status and reason.
    async fn accepted(&self, name: &str) -> (String, String) {
        let began = Instant::now();
        loop {
            let tool = self.tools.get(name).await.unwrap();
            let mut conditions = tool.status.into_iter().flat_map(|status| status.conditions);
            if let Some(found) = conditions.find(|condition| condition.type_ == "Accepted") {
                return (found.status, found.reason);
            }
            assert!(began.elapsed() < PATIENCE, "{name} gets no status");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn create(&self, name: &str, service: &str, input: Value) {
        let tool = json!({"apiVersion": "tools.portproof.dev/v1alpha1", "kind": "Tool",
            "metadata": {"name": name},
            "spec": {"name": name.replace('-', "_"), "description": "as created", "inputSchema": input,
                "backend": {"type": "Http",
                    "http": {"serviceName": service, "port": 8080, "path": "/v1/items/x"}}}});
        let tool = serde_json::from_value(tool).unwrap();
        self.tools
            .create(&PostParams::default(), &tool)
            .await
            .unwrap();
    }
}

/// A request for `tools/list` that needs no handshake.
pub(crate) fn list_tools(path: &str, host: &str) -> http::Request<Vec<u8>> {
    mcp(path, host, "tools/list", json!({}))
}

/// A request that calls a tool and needs no handshake.
pub(crate) fn call_tool(
    path: &str,
    host: &str,
    tool: &str,
    arguments: &Value,
) -> http::Request<Vec<u8>> {
    let params = json!({"name": tool, "arguments": arguments});
    let mut request = mcp(path, host, "tools/call", params);
    let name = tool.parse().unwrap();
    request.headers_mut().insert("mcp-name", name);
    request
}

fn mcp(path: &str, host: &str, method: &str, mut params: Value) -> http::Request<Vec<u8>> {
    params["_meta"] = json!({"io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientCapabilities": {}});
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    http::Request::post(path)
        .header("host", host)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", REVISION)
        .header("mcp-method", method)
        .body(call.to_string().into_bytes())
        .unwrap()
}

fn has(listed: &[(String, String)], name: &str, description: &str) -> bool {
    listed
        .iter()
        .any(|tool| tool.0 == name && tool.1 == description)
}

/// Adding, changing and deleting a `Tool` shows within a second, in the same order for everyone.
pub(crate) async fn assert_tools_come_and_go_within_a_second(run: &Run) {
    let watched = Watched::of(run).await;
    let object = json!({"type": "object"});
    watched
        .create("added-tool", "catalog", object.clone())
        .await;
    let shown = |it: &[(String, String)]| has(it, "added_tool", "as created");
    watched.shows("a new tool", shown).await;
    let listed = watched.listed().await;
    assert!(listed.is_sorted() && listed.len() > 1, "{listed:?}");
    let change = Patch::Merge(json!({"spec": {"description": "as changed"}}));
    let patch = PatchParams::default();
    watched
        .tools
        .patch("added-tool", &patch, &change)
        .await
        .unwrap();
    let changed = |it: &[(String, String)]| has(it, "added_tool", "as changed");
    watched.shows("a changed tool", changed).await;
    let delete = DeleteParams::default();
    watched.tools.delete("added-tool", &delete).await.unwrap();
    let gone = |it: &[(String, String)]| it.iter().all(|tool| tool.0 != "added_tool");
    watched.shows("a deleted tool", gone).await;
}

/// What is wrong with a `Tool` stands in its status, and it is not served.
pub(crate) async fn assert_the_status_says_why_a_tool_is_not_served(run: &Run) {
    let watched = Watched::of(run).await;
    let invalid = json!({"type": "object", "properties": {"x": {"type": "no such type"}}});
    watched.create("bad-schema", "catalog", invalid).await;
    watched
        .create("no-backend", "nowhere", json!({"type": "object"}))
        .await;
    let of = |status: &str, reason: &str| (status.to_owned(), reason.to_owned());
    assert_eq!(watched.accepted("lookup-price").await, of("True", "Valid"));
    assert_eq!(
        watched.accepted("bad-schema").await,
        of("False", "InvalidSchema")
    );
    assert_eq!(
        watched.accepted("no-backend").await,
        of("False", "BackendNotFound")
    );
    let listed = watched.listed().await;
    assert!(
        listed.iter().all(|tool| tool.0 != "bad_schema"),
        "{listed:?}"
    );
}
