use super::*;
use crate::control::fake_api::FakeApi;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::HeaderMap;
use serde_json::json;
use std::net::Ipv4Addr;

const NAMESPACE: &str = "portproof-r1";

/// An MCP server with two pages of tools, which checks the headers the revision asks for.
async fn tool_gateway(supported: Value) -> Peers {
    async fn answer(
        State(supported): State<Value>,
        headers: HeaderMap,
        Json(request): Json<Value>,
    ) -> Json<Value> {
        assert_eq!(headers["mcp-protocol-version"], "2026-07-28");
        assert_eq!(headers["mcp-method"], request["method"].as_str().unwrap());
        assert_eq!(
            request["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"],
            "2026-07-28"
        );
        let result = match (
            request["method"].as_str().unwrap(),
            request["params"]["cursor"].as_str(),
        ) {
            ("server/discover", _) => {
                json!({"supportedVersions": supported, "capabilities": {"tools": {}}})
            }
            ("tools/list", None) => {
                json!({"tools": [{"name": "one", "unknown": 1}], "nextCursor": "2"})
            }
            ("tools/list", Some("2")) => json!({"tools": [{"name": "two"}]}),
            _ => {
                return Json(
                    json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no such method"}}),
                );
            }
        };
        Json(json!({"jsonrpc": "2.0", "id": request["id"], "result": result}))
    }
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/mcp", post(answer))
        .with_state(supported);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Peers::new().unwrap().with(Part::ToolGateway, address)
}

fn tool(name: &str, documents: Option<&str>) -> Value {
    let backend =
        documents.map(|name| json!({"type": "Documents", "documents": {"configMapName": name}}));
    json!({"apiVersion": "tools.portproof.dev/v1alpha1", "kind": "Tool",
        "metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"name": name, "backend": backend, "kept": {"unknown": 1}}})
}

fn source() -> FakeApi {
    let api = FakeApi::default();
    api.put(&Kind::CRD.object("", tool::CRD_NAME), json!({"apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition", "metadata": {"name": tool::CRD_NAME}, "spec": {"group": tool::GROUP}}));
    for (name, documents) in [
        ("search", Some("manuals")),
        ("search-again", Some("manuals")),
        ("run", None),
    ] {
        api.put(&Kind::TOOL.object(NAMESPACE, name), tool(name, documents));
    }
    api.put(
        "/api/v1/namespaces/portproof-r1/configmaps/manuals",
        json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "manuals", "namespace": NAMESPACE}, "data": {"m": "text"}}),
    );
    api.put(
        "/api/v1/namespaces/portproof-r1/configmaps/other",
        json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "other", "namespace": NAMESPACE}}),
    );
    api
}

async fn exported(api: &FakeApi, peers: &Peers) -> Result<Bundle, ExportError> {
    let (events, mut received) = Events::channel();
    export(&api.server(), peers, NAMESPACE, "", &events).await?;
    drop(events);
    let mut encoded = Vec::new();
    while let Some(chunk) = received.recv().await {
        encoded.extend(chunk.unwrap().data);
    }
    Ok(Bundle::decode(&encoded).unwrap())
}

#[tokio::test]
async fn tools_go_with_the_documents_they_refer_to_and_nothing_else_does() {
    let peers = tool_gateway(json!(["2026-07-28"])).await;
    let bundle = exported(&source(), &peers).await.unwrap();
    let names: Vec<_> = bundle
        .objects
        .iter()
        .map(|object| object["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["manuals", "run", "search", "search-again"]);
    assert_eq!(
        bundle.objects[1],
        tool("run", None),
        "members no type knows are kept, what the server wrote is not"
    );
    assert_eq!(bundle.crds.len(), 1);
}

#[tokio::test]
async fn descriptors_are_raw_and_of_every_page() {
    let peers = tool_gateway(json!(["2025-11-25", "2026-07-28"])).await;
    let bundle = exported(&source(), &peers).await.unwrap();
    assert_eq!(
        bundle.descriptors[0].tools,
        [json!({"name": "one", "unknown": 1}), json!({"name": "two"})]
    );
    assert_eq!(bundle.descriptors[0].server, "tool-gateway");
}

#[tokio::test]
async fn the_same_cluster_gives_the_same_bundle() {
    let peers = tool_gateway(json!(["2026-07-28"])).await;
    let one = exported(&source(), &peers).await.unwrap();
    let other = exported(&source(), &peers).await.unwrap();
    assert_eq!(one.digest().unwrap(), other.digest().unwrap());
}

#[tokio::test]
async fn a_server_of_another_revision_is_an_error() {
    let peers = tool_gateway(json!(["2025-11-25"])).await;
    let error = exported(&source(), &peers).await.unwrap_err();
    assert!(
        matches!(error, ExportError::Mcp(McpError::Revision { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn a_tool_whose_documents_are_missing_is_not_exported_half() {
    let peers = tool_gateway(json!(["2026-07-28"])).await;
    let api = source();
    api.put(
        &Kind::TOOL.object(NAMESPACE, "lost"),
        tool("lost", Some("nowhere")),
    );
    let error = exported(&api, &peers).await.unwrap_err();
    assert!(
        matches!(&error, ExportError::Dangling { config_map, .. } if config_map == "nowhere"),
        "{error}"
    );
}

#[tokio::test]
async fn a_cluster_without_the_crd_has_nothing_to_export() {
    let peers = tool_gateway(json!(["2026-07-28"])).await;
    let error = exported(&FakeApi::default(), &peers).await.unwrap_err();
    assert_eq!(Status::from(error).code(), Code::FailedPrecondition);
}
