//! Requests that are no requests: a clear error for each, and a server that goes on.

use crate::gateway::{Gateway, search};
use crate::wire::{Answer, Post, exchange};
use agent_stack::gateway::Era;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::json;
use tokio::runtime::Builder;

const LIMIT: usize = 4 * 1024 * 1024;

async fn still_serves(gateway: &Gateway) {
    let answer = Post::modern("tools/call", &search())
        .send(gateway.address)
        .await;
    assert_eq!(answer.body["result"]["isError"], false, "{answer:?}");
}

fn nested(depth: usize) -> String {
    let deep = "[".repeat(depth) + &"]".repeat(depth);
    format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"search","arguments":{{"query":{deep}}}}}}}"#
    )
}

#[tokio::test]
async fn each_body_that_is_no_message_is_refused_with_what_is_wrong() {
    let gateway = Gateway::start(Era::Dual).await;
    let rows: Vec<(Vec<u8>, i64, &str)> = vec![
        (b"".into(), -32700, "EOF while parsing"),
        (b"hello".into(), -32700, "expected value at line 1 column 1"),
        (b"{\"jsonrpc\":\"2.0\"".into(), -32700, "EOF while parsing"),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}".into(), -32700, "the text is not UTF-8 from byte 34 on"),
        (br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#.into(), -32700, "the member `id` is there twice"),
        (br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","name":"other"}}"#.into(), -32700, "the member `params.name` is there twice"),
        (nested(1000).into(), -32700, "nested deeper than 100 levels"),
        (nested(1_000_000).into(), -32700, "nested deeper than 100 levels"),
        (b"[]".into(), -32600, "batches left MCP"),
        (br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#.into(), -32600, "send each message in a request of its own"),
        (b"null".into(), -32600, "the body is null"),
        (br#"{"id":1,"method":"ping"}"#.into(), -32600, "`jsonrpc` must be"),
        (br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#.into(), -32600, "`id` must be"),
        (br#"{"jsonrpc":"2.0","id":1}"#.into(), -32600, "needs the member `method`"),
        (br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#.into(), -32600, "`params` must be an object"),
        (br#"{"jsonrpc":"2.0","id":1,"result":{}}"#.into(), -32600, "does not accept JSON-RPC responses"),
    ];
    for (body, code, told) in rows {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let answer = Post::bytes(body).send(gateway.address).await;
        assert_eq!(answer.outcome(), (400, Some(code)), "{shown}: {answer:?}");
        assert!(answer.told().contains(told), "{shown}: {answer:?}");
        still_serves(&gateway).await;
    }
}

#[tokio::test]
async fn what_http_itself_forbids_is_told_as_a_json_rpc_error_too() {
    let gateway = Gateway::start(Era::Dual).await;
    let list = || Post::modern("tools/list", &json!({}));
    for (what, post, status) in [
        ("text", list().with("content-type", "text/plain"), 415),
        ("no content type", list().without("content-type"), 415),
        (
            "JSON of another kind",
            list().with("content-type", "application/json-patch+json"),
            415,
        ),
        (
            "no answer of ours accepted",
            list().with("accept", "text/html"),
            406,
        ),
        (
            "a stranger's host",
            list().with("host", "evil.example.com"),
            403,
        ),
    ] {
        let answer = post.send(gateway.address).await;
        assert_eq!(
            answer.outcome(),
            (status, Some(-32600)),
            "{what}: {answer:?}"
        );
        assert!(!answer.told().is_empty(), "{what}: {answer:?}");
    }
    let parameters = list().with("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(parameters.send(gateway.address).await.status, 200);
    still_serves(&gateway).await;
}

#[tokio::test]
async fn a_method_that_is_not_post_is_refused_with_the_one_that_is() {
    let gateway = Gateway::start(Era::Dual).await;
    for method in ["GET", "DELETE", "PUT"] {
        let request = format!(
            "{method} /mcp HTTP/1.1\r\nhost: tool-gateway\r\naccept: text/event-stream\r\nconnection: close\r\n\r\n"
        );
        let answer = exchange(gateway.address, request.as_bytes()).await;
        assert_eq!(
            answer.outcome(),
            (405, Some(-32600)),
            "{method}: {answer:?}"
        );
        assert!(answer.head.contains("allow: post"), "{method}: {answer:?}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_or_not_its_length_is_told() {
    let gateway = Gateway::start(Era::Dual).await;
    let filler = "x".repeat(LIMIT);
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"filler": filler}});
    let told = Post::bytes(body.to_string()).send(gateway.address).await;
    let chunk = body.to_string();
    let chunked = format!(
        "POST /mcp HTTP/1.1\r\nhost: tool-gateway\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nconnection: close\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{chunk}\r\n0\r\n\r\n",
        chunk.len()
    );
    let untold = exchange(gateway.address, chunked.as_bytes()).await;
    for answer in [told, untold] {
        assert_eq!(answer.outcome(), (413, Some(-32600)), "{answer:?}");
        assert!(
            answer.told().contains("more than 4194304 bytes"),
            "{answer:?}"
        );
    }
    still_serves(&gateway).await;
}

#[tokio::test]
async fn a_client_that_hangs_up_half_way_takes_nothing_with_it() {
    use tokio::io::AsyncWriteExt as _;
    let gateway = Gateway::start(Era::Dual).await;
    for _ in 0..20 {
        let mut connection = tokio::net::TcpStream::connect(gateway.address)
            .await
            .unwrap();
        let half = b"POST /mcp HTTP/1.1\r\nhost: tool-gateway\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"jsonrpc\"";
        connection.write_all(half).await.unwrap();
    }
    still_serves(&gateway).await;
}

/// A body that is sometimes JSON, sometimes nearly.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let message =
        (any::<Option<i64>>(), "[a-z/]{0,16}", "\\PC{0,16}").prop_map(|(id, method, argument)| {
            let message =
                json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {"name": argument}});
            message.to_string().into_bytes()
        });
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        message.clone(),
        (message, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut body, at, byte)| {
            let at = at.index(body.len());
            body[at] = byte;
            body
        }),
    ]
}

#[test]
fn whatever_the_body_is_the_answer_is_one_of_the_protocol() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let gateway = runtime.block_on(Gateway::start(Era::Dual));
    let outcome = TestRunner::default().run(&body(), |body| {
        let answer: Answer = runtime.block_on(Post::bytes(body).send(gateway.address));
        let known = [200, 202, 400].contains(&answer.status);
        let explained = answer.status == 202 || answer.body["jsonrpc"] == "2.0";
        prop_assert!(known && explained, "{:?}", answer);
        Ok(())
    });
    outcome.unwrap();
    runtime.block_on(still_serves(&gateway));
}
