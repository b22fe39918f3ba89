//! Requests that cannot be carried out are refused with the reason, and nothing dies.

use super::server::Server;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Sends a body as it is; returns the status, the error's code and its message.
async fn posted(
    server: &Server,
    path: &str,
    content_type: &str,
    body: impl Into<reqwest::Body>,
) -> (u16, String, String) {
    let client = agent_stack::http_client::client(super::LONG).unwrap();
    let sent = client
        .post(format!("http://{}{path}", server.address))
        .header("content-type", content_type)
        .body(body);
    let answer = sent.send().await.unwrap();
    let status = answer.status().as_u16();
    let answer: Value = answer.json().await.unwrap();
    let member = |name: &str| {
        answer["error"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    (status, member("code"), member("message"))
}

const JSON: &str = "application/json";

#[tokio::test]
async fn bodies_that_are_no_json_or_too_large_are_refused() {
    let server = Server::start(&[]).await;
    let large = vec![b' '; (4 << 20) + 1];
    let answer = posted(&server, "/v1/execute", "text/plain", "{}").await;
    assert_eq!(
        (answer.0, answer.1.as_str()),
        (415, "unsupported_media_type")
    );
    let answer = posted(&server, "/v1/execute", JSON, large).await;
    assert_eq!((answer.0, answer.1.as_str()), (413, "too_large"));
    let answer = posted(&server, "/v1/probe", JSON, r#"{"address": "a name"}"#).await;
    assert_eq!((answer.0, answer.1.as_str()), (400, "invalid_request"));
    server.still_serves().await;
}

#[tokio::test]
async fn bodies_that_say_something_impossible_are_refused_with_the_reason() {
    let server = Server::start(&[]).await;
    let deep = "[".repeat(200_000);
    let cases: [(&[u8], &str, &str); 6] = [
        (deep.as_bytes(), "invalid_request", "deeper than 100 levels"),
        (b"{\"code\": \"\xff\"}", "invalid_request", "not UTF-8"),
        (
            br#"{"code": "1", "code": "2"}"#,
            "invalid_request",
            "is there twice",
        ),
        (
            br#"{"code": "1", "timeout": 2}"#,
            "invalid_request",
            "unknown field `timeout`",
        ),
        (
            br#"{"code": "print(1)\u0000"}"#,
            "invalid_code",
            "null byte at 8",
        ),
        (
            br#"{"code": "1", "timeoutSeconds": 99999999999}"#,
            "invalid_limit",
            "allows 1 to 300",
        ),
    ];
    for (body, code, message) in cases {
        let answer = posted(&server, "/v1/execute", JSON, body.to_vec()).await;
        assert_eq!((answer.0, answer.1.as_str()), (400, code), "{answer:?}");
        assert!(answer.2.contains(message), "{answer:?}");
    }
    server.still_serves().await;
}

#[tokio::test]
async fn bad_files_are_refused_by_place() {
    let server = Server::start(&["--max-files", "2", "--max-files-bytes", "10"]).await;
    let file = |path: &str, content: &str| json!({"path": path, "contentBase64": content});
    for (files, status, code) in [
        (vec![file("/etc/passwd", "")], 400, "invalid_file"),
        (vec![file("a", "?")], 400, "invalid_file"),
        (
            vec![file("a", ""), file("b", ""), file("c", "")],
            413,
            "too_large",
        ),
        (vec![file("a", "MTIzNDU2Nzg5MDE=")], 413, "too_large"),
    ] {
        let (found, answer) = server.send(json!({"code": "1", "files": files})).await;
        assert_eq!(
            (found, &answer["error"]["code"]),
            (status, &json!(code)),
            "{answer}"
        );
    }
    let taken =
        json!({"code": "open('b', 'w').write(open('a').read())", "files": [file("a", "MTI=")]});
    let answer = server.run(taken).await;
    assert_eq!(answer["files"], json!([file("b", "MTI=")]), "{answer}");
}

#[tokio::test]
async fn routes_and_methods_that_are_not_there_are_told_as_json() {
    let server = Server::start(&[]).await;
    let (status, code, _) = posted(&server, "/v1/run", "application/json", "{}").await;
    assert_eq!((status, code.as_str()), (404, "not_found"));
    let answer = server.get("/v1/execute").await.unwrap();
    assert_eq!(answer.status().as_u16(), 405);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["error"]["code"], "method_not_allowed");
}

#[tokio::test]
async fn beyond_those_that_run_and_wait_callers_are_told_to_try_again() {
    let server = Server::start(&["--concurrency", "1", "--queue", "0"]).await;
    let long = server.send(json!({"code": "import time; time.sleep(600)", "timeoutSeconds": 60}));
    let refused = async {
        server.program().await;
        server.send(json!({"code": "print(1)"})).await
    };
    let (status, answer) = tokio::select! {
        answer = long => panic!("{answer:?}"),
        refused = refused => refused,
    };
    assert_eq!(
        (status, &answer["error"]["code"]),
        (503, &json!("busy")),
        "{answer}"
    );
    server.becomes_childless().await;
    // The place is free once the workspace is wiped.
    while server.send(json!({"code": "pass"})).await.0 == 503 {}
    server.still_serves().await;
}

#[tokio::test]
async fn connections_that_end_in_the_middle_do_no_harm() {
    let server = Server::start(&[]).await;
    for head in [
        "POST /v1/execute HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"code",
        "POST /v1/execute HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "\0\0\0",
    ] {
        let mut connection = TcpStream::connect(server.address).await.unwrap();
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.shutdown().await.unwrap();
        // Whatever it says, the connection ends.
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer).await;
    }
    server.still_serves().await;
}
