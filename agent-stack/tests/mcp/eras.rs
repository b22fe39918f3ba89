//! Each era of the server against clients of each era.

use crate::gateway::{Gateway, search};
use crate::wire::{LEGACY, MODERN, Post};
use agent_stack::gateway::Era;
use agent_stack::http_client;
use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, Implementation, ProtocolVersion,
};
use rmcp::service::{ClientInitializeError, RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientLifecycleMode, ClientServiceExt as _};
use serde_json::{Value, json};
use std::time::Duration;

type Client = RunningService<RoleClient, ClientConfig>;

fn legacy_client() -> ClientLifecycleMode {
    ClientLifecycleMode::Initialize
}

fn modern_client() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
    }
}

fn dual_client() -> ClientLifecycleMode {
    ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: Some(ProtocolVersion::V_2025_11_25),
    }
}

async fn connect(
    gateway: &Gateway,
    lifecycle: ClientLifecycleMode,
) -> Result<Client, ClientInitializeError> {
    let http = http_client::client(Duration::from_secs(30)).unwrap();
    let config = StreamableHttpClientTransportConfig::with_uri(gateway.url());
    let transport = StreamableHttpClientTransport::with_client(http, config);
    let name = Implementation::new("test", "1");
    ClientConfig::new(ClientCapabilities::default(), name)
        .with_protocol_version(ProtocolVersion::V_2025_11_25)
        .serve_with_lifecycle(transport, lifecycle)
        .await
}

/// Lists the tools, calls one and gives the revision that was spoken.
async fn use_it(client: Client) -> String {
    let tools = client.list_all_tools().await.unwrap();
    assert_eq!(tools.len(), 1);
    let arguments = search()["arguments"].as_object().unwrap().clone();
    let call = CallToolRequestParams::new("search").with_arguments(arguments);
    let result = client.call_tool(call).await.unwrap();
    assert_eq!(
        result.structured_content.unwrap()["hits"][0]["sku"],
        "SKU-1"
    );
    client.peer_info().unwrap().protocol_version.to_string()
}

#[tokio::test]
async fn clients_and_servers_understand_each_other_when_they_share_an_era() {
    for (server, client, spoken) in [
        (Era::Dual, legacy_client(), LEGACY),
        (Era::Dual, modern_client(), MODERN),
        (Era::Dual, dual_client(), MODERN),
        (Era::Modern, modern_client(), MODERN),
        (Era::Modern, dual_client(), MODERN),
        (Era::Legacy, legacy_client(), LEGACY),
        (Era::Legacy, dual_client(), LEGACY),
    ] {
        let gateway = Gateway::start(server).await;
        let connected = connect(&gateway, client.clone()).await;
        let connected = connected.unwrap_or_else(|error| panic!("{server:?} {client:?}: {error}"));
        assert_eq!(use_it(connected).await, spoken, "{server:?} {client:?}");
    }
}

#[tokio::test]
async fn clients_and_servers_of_different_eras_do_not() {
    for (server, client) in [
        (Era::Modern, legacy_client()),
        (Era::Legacy, modern_client()),
    ] {
        let gateway = Gateway::start(server).await;
        let connected = connect(&gateway, client.clone()).await;
        assert!(connected.is_err(), "{server:?} {client:?}");
    }
}

fn initialize(version: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}})
}

#[tokio::test]
async fn a_modern_server_refuses_the_handshake_and_names_what_it_speaks() {
    let gateway = Gateway::start(Era::Modern).await;
    for post in [
        Post::legacy(&initialize(LEGACY)),
        Post::bytes(initialize(LEGACY).to_string()),
    ] {
        let answer = post.send(gateway.address).await;
        assert_eq!(answer.outcome(), (400, Some(-32022)), "{answer:?}");
        let data = &answer.body["error"]["data"];
        assert_eq!(*data, json!({"supported": [MODERN], "requested": LEGACY}));
    }
}

#[tokio::test]
async fn a_modern_server_serves_no_request_of_an_older_revision() {
    let gateway = Gateway::start(Era::Modern).await;
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let named = Post::legacy(&list).send(gateway.address).await;
    assert_eq!(named.outcome(), (400, Some(-32022)), "{named:?}");
    let unnamed = Post::bytes(list.to_string()).send(gateway.address).await;
    assert_eq!(unnamed.outcome(), (400, Some(-32020)), "{unnamed:?}");
}

#[tokio::test]
async fn a_legacy_server_answers_the_stateless_revision_as_if_it_never_heard_of_it() {
    let gateway = Gateway::start(Era::Legacy).await;
    let discover = Post::modern("server/discover", &json!({}));
    let answer = discover.send(gateway.address).await;
    assert_eq!(answer.outcome(), (400, Some(-32000)), "{answer:?}");
    assert!(
        answer
            .told()
            .contains("Unsupported protocol version: 2026-07-28"),
        "{answer:?}"
    );
    // None of the errors by which a client would take it for a modern server.
    assert!(answer.body["error"].get("data").is_none(), "{answer:?}");
    let answer = discover
        .without("mcp-protocol-version")
        .send(gateway.address)
        .await;
    assert_eq!(answer.outcome(), (200, Some(-32601)), "{answer:?}");
}

#[tokio::test]
async fn a_legacy_server_takes_no_notice_of_metadata_it_does_not_know() {
    let gateway = Gateway::start(Era::Legacy).await;
    let answer = Post::modern("tools/call", &search())
        .with("mcp-protocol-version", LEGACY)
        .send(gateway.address)
        .await;
    let result = &answer.body["result"];
    assert_eq!(
        result["structuredContent"]["hits"][0]["sku"], "SKU-1",
        "{answer:?}"
    );
    assert!(result.get("resultType").is_none(), "{answer:?}");
}

#[tokio::test]
async fn the_handshake_of_an_unknown_revision_gets_the_newest_that_has_one() {
    for era in [Era::Dual, Era::Legacy] {
        let gateway = Gateway::start(era).await;
        for (asked, agreed) in [
            ("2099-01-01", LEGACY),
            ("2025-06-18", "2025-06-18"),
            (LEGACY, LEGACY),
        ] {
            let post = Post::bytes(initialize(asked).to_string());
            let answer = post.send(gateway.address).await;
            let version = &answer.body["result"]["protocolVersion"];
            assert_eq!(
                (answer.status, version),
                (200, &json!(agreed)),
                "{era:?} {asked}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_older_client_gets_the_older_form_of_errors() {
    let gateway = Gateway::start(Era::Dual).await;
    let request = |method: &str| json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": "nothing"}});
    for (method, code) in [
        ("tools/call", -32602),
        ("tools/explode", -32601),
        ("prompts/list", -32601),
    ] {
        let answer = Post::legacy(&request(method)).send(gateway.address).await;
        assert_eq!(answer.outcome(), (200, Some(code)), "{method}: {answer:?}");
    }
}
