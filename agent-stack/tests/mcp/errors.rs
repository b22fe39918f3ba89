//! What is an error of the protocol, with which HTTP status and code, and what is a result.

use crate::gateway::{Gateway, search, tool};
use crate::wire::{MODERN, Post, metadata};
use agent_stack::gateway::Era;
use serde_json::{Value, json};

/// What is sent, with what is wrong with it.
type Row = (&'static str, Post);

fn call() -> Post {
    Post::modern("tools/call", &search())
}

fn list() -> Post {
    Post::modern("tools/list", &json!({}))
}

fn with_meta(meta: Value) -> impl FnOnce(&mut Value) {
    move |body| body["params"]["_meta"] = meta
}

fn without_meta(key: &'static str) -> impl FnOnce(&mut Value) {
    move |body| {
        let meta = body["params"]["_meta"].as_object_mut().unwrap();
        meta.remove(&format!("io.modelcontextprotocol/{key}"));
    }
}

fn without_param(name: &'static str) -> impl FnOnce(&mut Value) {
    move |body| {
        let params = body["params"].as_object_mut().unwrap();
        params.remove(name);
    }
}

fn good() -> Vec<Row> {
    let discover = Post::modern("server/discover", &json!({}));
    vec![
        ("a call", call()),
        ("a list", list()),
        ("discovery", discover),
    ]
}

fn invalid_params() -> Vec<Row> {
    let unknown = Post::modern("tools/call", &json!({"name": "nothing", "arguments": {}}));
    let items = call().changed(|body| body["params"]["arguments"] = json!([1]));
    let cursor = Post::modern("tools/list", &json!({"cursor": "x"}));
    vec![
        ("an unknown tool", unknown),
        (
            "a call without a name",
            call().changed(without_param("name")),
        ),
        ("arguments that are no object", items),
        ("a cursor nobody gave out", cursor),
    ]
}

fn unknown_methods() -> Vec<Row> {
    let method = |method| Post::modern(method, &json!({}));
    vec![
        ("a method of nobody", method("tools/explode")),
        ("prompts, which there are none of", method("prompts/list")),
        (
            "resources, which there are none of",
            method("resources/list"),
        ),
        ("ping, which the revision dropped", method("ping")),
    ]
}

fn header_mismatches() -> Vec<Row> {
    vec![
        ("another name", call().with("mcp-name", "other")),
        ("no name", call().without("mcp-name")),
        ("another method", list().with("mcp-method", "tools/call")),
        ("no method", list().without("mcp-method")),
        (
            "another version",
            list().with("mcp-protocol-version", "2025-11-25"),
        ),
        ("no version", list().without("mcp-protocol-version")),
    ]
}

fn wrong_metadata() -> Vec<Row> {
    vec![
        ("no metadata", list().changed(without_param("_meta"))),
        (
            "no capabilities",
            list().changed(without_meta("clientCapabilities")),
        ),
        (
            "no version",
            list().changed(without_meta("protocolVersion")),
        ),
    ]
}

fn unknown_versions() -> Vec<Row> {
    let in_header = list().with("mcp-protocol-version", "2099-01-01");
    let everywhere = in_header.clone().changed(with_meta(metadata("2099-01-01")));
    vec![
        ("in header and body", everywhere),
        (
            "in the header alone",
            in_header.changed(without_param("_meta")),
        ),
    ]
}

#[tokio::test]
async fn each_error_of_the_protocol_has_its_own_status_and_code() {
    let gateway = Gateway::start(Era::Dual).await;
    for (rows, status, code) in [
        (good(), 200, None),
        (invalid_params(), 200, Some(-32602)),
        (unknown_methods(), 404, Some(-32601)),
        (header_mismatches(), 400, Some(-32020)),
        (wrong_metadata(), 400, Some(-32602)),
        (unknown_versions(), 400, Some(-32022)),
    ] {
        for (what, post) in rows {
            let answer = post.send(gateway.address).await;
            assert_eq!(answer.outcome(), (status, code), "{what}: {answer:?}");
            assert!(
                answer.head.contains("content-type: application/json"),
                "{what}: {answer:?}"
            );
            assert_eq!(answer.body["id"], 7, "{what}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_version_that_is_not_spoken_is_refused_with_those_that_are() {
    let gateway = Gateway::start(Era::Dual).await;
    let unknown = with_meta(metadata("2099-01-01"));
    let post = list()
        .with("mcp-protocol-version", "2099-01-01")
        .changed(unknown);
    let data = &post.send(gateway.address).await.body["error"]["data"];
    assert_eq!(
        data["supported"],
        json!([MODERN, "2025-11-25", "2025-06-18"])
    );
    assert_eq!(data["requested"], "2099-01-01");
}

#[tokio::test]
async fn what_is_wrong_with_a_tool_call_itself_is_a_result_that_says_so() {
    let gateway = Gateway::start(Era::Dual).await;
    let mut strict = tool("strict");
    strict.spec.output_schema = Some(json!({"type": "object", "required": ["no"]}));
    let mut lost = tool("lost");
    let documents = lost.spec.backend.documents.as_mut().unwrap();
    documents.config_map_name = "nothing".into();
    gateway.registry.apply(strict);
    gateway.registry.apply(lost);
    for (name, query, told) in [
        (
            "search",
            json!(7),
            "do not conform to the tool's input schema: `/query`",
        ),
        (
            "strict",
            json!("seal"),
            "does not conform to the tool's output schema",
        ),
        ("lost", json!("seal"), "there is no ConfigMap `nothing`"),
    ] {
        let params = json!({"name": name, "arguments": {"query": query}});
        let answer = Post::modern("tools/call", &params)
            .send(gateway.address)
            .await;
        let result = &answer.body["result"];
        assert_eq!(
            (answer.status, &result["isError"]),
            (200, &json!(true)),
            "{name}: {answer:?}"
        );
        assert_eq!(result["resultType"], "complete", "{name}");
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(told), "{name}: {text}");
    }
}

#[tokio::test]
async fn results_say_how_long_and_for_whom_they_may_be_kept() {
    let gateway = Gateway::start(Era::Dual).await;
    for method in ["server/discover", "tools/list"] {
        let answer = Post::modern(method, &json!({})).send(gateway.address).await;
        let result = &answer.body["result"];
        assert_eq!(result["resultType"], "complete", "{answer:?}");
        assert_eq!(result["cacheScope"], "public", "{answer:?}");
        assert!(
            result["ttlMs"].as_u64().is_some_and(|ttl| ttl < 1000),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn tools_are_listed_by_name_as_soon_as_they_are_there_and_no_longer() {
    let gateway = Gateway::start(Era::Dual).await;
    gateway.registry.apply(tool("zebra"));
    gateway.registry.apply(tool("ant"));
    assert_eq!(listed(&gateway).await, ["ant", "search", "zebra"]);
    gateway.registry.remove(&tool("search"));
    assert_eq!(listed(&gateway).await, ["ant", "zebra"]);
}

async fn listed(gateway: &Gateway) -> Vec<String> {
    let answer = list().send(gateway.address).await;
    let tools = answer.body["result"]["tools"].as_array().unwrap().clone();
    let names = tools.iter().map(|tool| tool["name"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

#[tokio::test]
async fn only_the_names_of_the_service_and_the_gateway_are_served_on_any_port() {
    let gateway = Gateway::start(Era::Dual).await;
    for (host, status) in [
        ("tool-gateway", 200),
        ("tool-gateway:8080", 200),
        ("TOOL-GATEWAY:8080", 200),
        ("tools.example.com:8000", 200),
        ("[::1]:8080", 200),
        ("evil.example.com", 403),
        ("evil.example.com:8080", 403),
        ("tool-gateway.evil.example.com", 403),
        ("169.254.169.254", 403),
        ("not a host", 400),
    ] {
        let answer = list().with("host", host).send(gateway.address).await;
        assert_eq!(answer.status, status, "{host}: {answer:?}");
    }
}

#[tokio::test]
async fn a_page_of_another_site_is_refused_and_one_of_ours_is_not() {
    let gateway = Gateway::start(Era::Dual).await;
    for (origin, status) in [
        ("http://tool-gateway:8080", 200),
        ("https://tools.example.com", 200),
        ("https://evil.example.com", 403),
        ("null", 403),
    ] {
        let answer = list().with("origin", origin).send(gateway.address).await;
        assert_eq!(answer.status, status, "{origin}: {answer:?}");
    }
}
