//! Bad input to `/v1/tasks`: each has its own clear error, and the next task is done.

use crate::stack::Stack;
use agent_stack::agent::AgentEvent;
use agent_stack::http_client;
use reqwest::{Client, Response};
use serde_json::Value;
use std::time::Duration;

fn client() -> Client {
    http_client::client(Duration::from_mins(1)).unwrap()
}

async fn post(stack: &Stack, media_type: &str, body: Vec<u8>) -> Response {
    let url = format!("http://{}/v1/tasks", stack.addresses().agent);
    let sent = client().post(url).header("content-type", media_type);
    sent.body(body).send().await.unwrap()
}

async fn refused(
    stack: &Stack,
    media_type: &str,
    body: impl Into<Vec<u8>>,
) -> (u16, String, String) {
    let answer = post(stack, media_type, body.into()).await;
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    let member = |name: &str| body["error"][name].as_str().unwrap().to_owned();
    (status, member("code"), member("message"))
}

const JSON: &str = "application/json";
const TASK: &str = r#"{"prompt": "What is the price of SKU-2048?"}"#;

/// Media type, body, and the status, code and part of the message it is refused with.
type Case = (&'static str, Vec<u8>, u16, &'static str, &'static str);

fn json(body: impl Into<Vec<u8>>, code: &'static str, message: &'static str) -> Case {
    (JSON, body.into(), 400, code, message)
}

fn cases() -> Vec<Case> {
    let huge = format!(r#"{{"prompt": "{}"}}"#, "x".repeat(70_000));
    let deep = format!(r#"{{"prompt": {}"#, "[".repeat(30_000));
    let twice = r#"{"prompt": "a", "prompt": "b"}"#;
    let late = r#"{"prompt": "a", "deadlineSeconds": 4000000000}"#;
    let unknown = r#"{"prompt": "a", "depth": 1}"#;
    let expected = "`application/json`, not `text/plain`";
    vec![
        (
            "text/plain",
            TASK.into(),
            415,
            "unsupported_media_type",
            expected,
        ),
        (JSON, huge.into(), 413, "body_too_large", "65536 bytes"),
        json(twice, "invalid_json", "the member `prompt` is there twice"),
        json(deep, "invalid_json", "deeper than 100 levels"),
        json(
            b"{\"prompt\": \"\xff\"}",
            "invalid_json",
            "not UTF-8 from byte 12 on",
        ),
        json("{", "invalid_json", "EOF while parsing"),
        json(
            r#"{"prompt": ""}"#,
            "invalid_value",
            "`prompt` must not be empty",
        ),
        json(late, "invalid_value", "between 1 and 600"),
        json(unknown, "invalid_json", "unknown field `depth`"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_bad_input_is_refused_in_its_own_words_and_the_next_task_is_done() {
    let stack = Stack::shipped().await;
    for (media_type, body, status, code, message) in cases() {
        let found = refused(&stack, media_type, body).await;
        assert_eq!((found.0, found.1.as_str()), (status, code), "{}", found.2);
        assert!(
            found.2.contains(message),
            "`{}` does not say `{message}`",
            found.2
        );
    }
    let lines = post(&stack, JSON, TASK.into()).await.text().await.unwrap();
    let last: AgentEvent = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert!(matches!(last, AgentEvent::Answer { .. }), "{last:?}");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_come_as_server_sent_events_with_ids_where_they_are_asked_for() {
    let stack = Stack::shipped().await;
    let url = format!("http://{}/v1/tasks", stack.addresses().agent);
    let task = serde_json::json!({"prompt": "What is the price of SKU-2048?"});
    let sent = client().post(&url).header("accept", "text/event-stream");
    let answer = sent.json(&task).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let text = answer.text().await.unwrap();
    let fields = |name: &str| -> Vec<String> {
        let prefix = format!("{name}: ");
        text.lines()
            .filter_map(|line| line.strip_prefix(&prefix))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(
        fields("event"),
        ["tools", "plan", "call", "result", "answer"]
    );
    assert_eq!(fields("id"), ["1", "2", "3", "4", "5"]);
    let last: AgentEvent = serde_json::from_str(fields("data").last().unwrap()).unwrap();
    assert!(matches!(last, AgentEvent::Answer { text, .. } if text.contains("17.35 EUR")));
    let page = client()
        .post(&url)
        .header("accept", "text/html")
        .json(&task);
    assert_eq!(page.send().await.unwrap().status().as_u16(), 406);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_address_or_method_is_told_like_any_other_error() {
    let stack = Stack::shipped().await;
    let agent = format!("http://{}", stack.addresses().agent);
    for (request, expected) in [
        (
            client().get(format!("{agent}/v1/tasks")),
            (405, "method_not_allowed"),
        ),
        (
            client().post(format!("{agent}/v1/task")),
            (404, "unknown_url"),
        ),
    ] {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        assert_eq!(
            (status, body["error"]["code"].as_str()),
            (expected.0, Some(expected.1))
        );
    }
    stack.stop().await;
}
