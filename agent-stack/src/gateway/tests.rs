//! The MCP face as clients see it on the wire, both revisions.

use super::backend::{Backends, FixedDocuments};
use super::{GatewayParts, Registry, allowed_hosts, router};
use crate::http_client;
use crate::telemetry::{SpanRelay, Telemetry};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use portproof_proto::tool::Tool;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

const MODERN: &str = "2026-07-28";

fn search_tool() -> Tool {
    let spec = json!({
        "name": "search", "title": "Search", "description": "Searches.",
        "inputSchema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"],
            "x-unknown": {"kept": true}},
        "outputSchema": {"type": "object", "required": ["hits"]},
        "backend": {"type": "Documents",
            "documents": {"configMapName": "manuals", "queryArgument": "query", "limit": 2}}});
    Tool::new("search", serde_json::from_value(spec).unwrap())
}

fn other(name: &str, change: impl FnOnce(&mut Tool)) -> Tool {
    let mut tool = search_tool();
    tool.metadata.name = Some(name.into());
    name.clone_into(&mut tool.spec.name);
    change(&mut tool);
    tool
}

fn parts(tools: Vec<Tool>) -> GatewayParts {
    let registry = Registry::default();
    registry.replace(tools);
    let manuals = BTreeMap::from([(
        "a".to_owned(),
        "title: Seals\nsku: SKU-1\n\nA seal.".to_owned(),
    )]);
    let documents = FixedDocuments::new(BTreeMap::from([("manuals".to_owned(), manuals)]));
    let client = http_client::client(Duration::from_secs(30)).unwrap();
    GatewayParts {
        registry: Arc::new(registry),
        backends: Backends::new(client, Arc::new(documents), SpanRelay::new(None).unwrap()),
        telemetry: Telemetry::disabled("tool-gateway"),
        allowed_hosts: allowed_hosts("ns", &["tools.example.com".to_owned()]),
        hidden: ["hidden".to_owned()].into(),
        drop_trace_context: false,
    }
}

fn gateway(tools: Vec<Tool>) -> Router {
    router(parts(tools), CancellationToken::new())
}

/// One request of the stateless revision: everything about the client is in the request itself.
fn modern(method: &str, name: Option<&str>, params: &Value) -> Request<Body> {
    let mut params = params.clone();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    let mut request = request()
        .header("MCP-Protocol-Version", MODERN)
        .header("Mcp-Method", method);
    if let Some(name) = name {
        request = request.header("Mcp-Name", name);
    }
    request.body(Body::from(body.to_string())).unwrap()
}

fn request() -> axum::http::request::Builder {
    Request::post("/mcp")
        .header("Host", "tool-gateway:8080")
        .header("Content-Type", "application/json")
        .header("Accept", "application/json, text/event-stream")
}

fn legacy(body: &Value) -> Request<Body> {
    request()
        .header("MCP-Protocol-Version", "2025-11-25")
        .body(Body::from(body.to_string()))
        .unwrap()
}

async fn send(router: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

async fn call(router: &Router, tool: &str, arguments: &Value) -> Value {
    send(
        router,
        modern(
            "tools/call",
            Some(tool),
            &json!({"name": tool, "arguments": arguments}),
        ),
    )
    .await
    .1
}

#[tokio::test]
async fn discover_names_the_stateless_revision() {
    let (status, body) = send(
        &gateway(vec![]),
        modern("server/discover", None, &json!({})),
    )
    .await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let versions = body["result"]["supportedVersions"].as_array().unwrap();
    assert!(
        versions.contains(&json!(MODERN)) && versions.contains(&json!("2025-11-25")),
        "{body}"
    );
    assert_eq!(body["result"]["resultType"], "complete");
}

#[tokio::test]
async fn tools_are_listed_by_name_exactly_as_their_objects_say() {
    let gateway = gateway(vec![other("zzz", |_| {}), search_tool()]);
    let (_, body) = send(&gateway, modern("tools/list", None, &json!({}))).await;
    let spec = search_tool().spec;
    let expected = json!({"name": "search", "title": "Search", "description": "Searches.",
        "inputSchema": spec.input_schema, "outputSchema": spec.output_schema});
    assert_eq!(body["result"]["tools"][0], expected);
    assert_eq!(body["result"]["tools"][1]["name"], "zzz");
    assert_eq!(body["result"]["tools"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_call_gives_structured_content_and_the_same_as_text() {
    let body = call(
        &gateway(vec![search_tool()]),
        "search",
        &json!({"query": "seal"}),
    )
    .await;
    let result = &body["result"];
    assert_eq!(result["isError"], false, "{body}");
    assert_eq!(result["structuredContent"]["hits"][0]["sku"], "SKU-1");
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text, result["structuredContent"]);
}

#[tokio::test]
async fn arguments_that_do_not_conform_are_a_result_and_not_a_protocol_error() {
    let body = call(
        &gateway(vec![search_tool()]),
        "search",
        &json!({"query": 7}),
    )
    .await;
    assert_eq!(body["result"]["isError"], true, "{body}");
    assert!(
        body["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("`/query`"),
        "{body}"
    );
}

#[tokio::test]
async fn a_result_that_does_not_conform_is_not_passed_on() {
    let strict = other("strict", |tool| {
        tool.spec.output_schema = Some(json!({"type": "object", "required": ["no"]}));
    });
    let body = call(&gateway(vec![strict]), "strict", &json!({"query": "seal"})).await;
    assert_eq!(body["result"]["isError"], true, "{body}");
    assert!(body["result"].get("structuredContent").is_none(), "{body}");
}

#[tokio::test]
async fn a_backend_that_is_not_there_is_a_result_that_says_so() {
    let lost = other("lost", |tool| {
        tool.spec
            .backend
            .documents
            .as_mut()
            .unwrap()
            .config_map_name = "nothing".into();
    });
    let body = call(&gateway(vec![lost]), "lost", &json!({"query": "seal"})).await;
    assert_eq!(body["result"]["isError"], true, "{body}");
    assert!(
        body["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("no ConfigMap `nothing`"),
        "{body}"
    );
}

#[tokio::test]
async fn an_unknown_tool_is_an_error_of_the_protocol() {
    let body = call(&gateway(vec![search_tool()]), "nothing", &json!({})).await;
    assert_eq!(body["error"]["code"], -32602, "{body}");
}

#[tokio::test]
async fn a_hidden_tool_is_neither_listed_nor_called() {
    let gateway = gateway(vec![other("hidden", |_| {})]);
    let (_, body) = send(&gateway, modern("tools/list", None, &json!({}))).await;
    assert_eq!(body["result"]["tools"], json!([]));
    assert_eq!(
        call(&gateway, "hidden", &json!({"query": "x"})).await["error"]["code"],
        -32602
    );
}

#[tokio::test]
async fn the_older_handshake_works_without_a_session() {
    let gateway = gateway(vec![search_tool()]);
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}});
    let (status, body) = send(&gateway, legacy(&hello)).await;
    assert_eq!(
        (status, &body["result"]["protocolVersion"]),
        (StatusCode::OK, &json!("2025-11-25")),
        "{body}"
    );
    let done = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(send(&gateway, legacy(&done)).await.0, StatusCode::ACCEPTED);
    let asked = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {
        "name": "search", "arguments": {"query": "seal"}}});
    let (_, body) = send(&gateway, legacy(&asked)).await;
    assert_eq!(
        body["result"]["structuredContent"]["hits"][0]["sku"], "SKU-1",
        "{body}"
    );
    assert!(body["result"].get("resultType").is_none(), "{body}");
}

#[tokio::test]
async fn a_header_that_differs_from_the_body_is_refused() {
    let mut request = modern(
        "tools/call",
        Some("other"),
        &json!({"name": "search", "arguments": {"query": "x"}}),
    );
    request
        .headers_mut()
        .insert("Mcp-Name", "other".parse().unwrap());
    let (status, body) = send(&gateway(vec![search_tool()]), request).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (StatusCode::BAD_REQUEST, &json!(-32020)),
        "{body}"
    );
}

#[tokio::test]
async fn an_unknown_revision_is_refused_with_the_known_ones() {
    let mut request = modern("tools/list", None, &json!({}));
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2099-01-01",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {}}}});
    request
        .headers_mut()
        .insert("MCP-Protocol-Version", "2099-01-01".parse().unwrap());
    *request.body_mut() = Body::from(body.to_string());
    let (status, body) = send(&gateway(vec![]), request).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (StatusCode::BAD_REQUEST, &json!(-32022)),
        "{body}"
    );
}

#[tokio::test]
async fn only_known_hosts_are_served() {
    for (host, expected) in [
        ("tool-gateway:8080", StatusCode::OK),
        ("tool-gateway.ns.svc.cluster.local:8080", StatusCode::OK),
        ("tools.example.com", StatusCode::OK),
        ("evil.example.com", StatusCode::FORBIDDEN),
    ] {
        let mut request = modern("tools/list", None, &json!({}));
        request.headers_mut().insert("Host", host.parse().unwrap());
        assert_eq!(send(&gateway(vec![]), request).await.0, expected, "{host}");
    }
}

#[tokio::test]
async fn the_gateway_is_ready_once_it_saw_the_tools() {
    let mut parts = parts(vec![]);
    let registry = Arc::new(Registry::default());
    parts.registry = Arc::clone(&registry);
    let gateway = router(parts, CancellationToken::new());
    let health = || Request::get("/healthz").body(Body::empty()).unwrap();
    assert_eq!(
        send(&gateway, health()).await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    registry.replace(vec![]);
    assert_eq!(send(&gateway, health()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn reach_answers_with_the_nonce_and_nothing_else() {
    let gateway = gateway(vec![]);
    for (query, status) in [
        ("nonce=n-1", StatusCode::OK),
        ("nonce=%3Cb%3E", StatusCode::BAD_REQUEST),
    ] {
        let request = Request::get(format!("/reach?{query}"))
            .body(Body::empty())
            .unwrap();
        let response = gateway.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            body.as_ref(),
            if status == StatusCode::OK {
                b"n-1".as_slice()
            } else {
                b""
            }
        );
    }
}
