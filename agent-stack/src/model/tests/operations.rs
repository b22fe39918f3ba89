//! Models, health, metrics, counts.

use super::*;
use crate::cli::Cli;
use clap::Parser as _;
use portproof_proto::names::BACKEND_HEADER;

#[tokio::test]
async fn the_models_are_the_backend_the_alias_and_the_engine() {
    let server = engine_server(Engine::RefPlannerV2);
    let list = get(&server, "/v1/models").await.json();
    let ids: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].clone())
        .collect();
    assert_eq!(ids, ["model-stable", "portproof-planner", "ref-planner-v2"]);
    assert!(
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|model| model["root"] == "ref-planner-v2")
    );
    for id in ids {
        let id = id.as_str().unwrap();
        let found = get(&server, &format!("/v1/models/{id}")).await.json();
        assert_eq!(
            (&found["id"], &found["object"]),
            (&json!(id), &json!("model"))
        );
        let answered = post(&server, with(question(), &json!({"model": id})).to_string()).await;
        assert_eq!(answered.status, StatusCode::OK, "{id}");
    }
}

#[tokio::test]
async fn a_model_that_is_not_served_is_not_found() {
    let expected = (404, "model_not_found".to_owned(), Some("model".to_owned()));
    assert_eq!(get(&server(), "/v1/models/gpt-5").await.error(), expected);
    assert_eq!(
        get(&server(), "/v1/models/ref-planner-v2").await.error(),
        expected
    );
    assert_eq!(
        chat(&with(question(), &json!({"model": "gpt-5"})))
            .await
            .error(),
        expected
    );
}

#[tokio::test]
async fn requests_of_a_load_driver_are_counted_and_others_are_not() {
    let server = server();
    for _ in 0..3 {
        get(&server, "/v1/models").await;
    }
    for path in ["/health", "/healthz", "/requests"] {
        let answered = get(&server, path).await;
        assert_eq!(answered.headers[BACKEND_HEADER], "model-stable", "{path}");
        assert_eq!(answered.status, StatusCode::OK, "{path}");
    }
    assert_eq!(get(&server, "/requests").await.text, r#"{"count":3}"#);
    let line = "portproof_requests_total{path=\"/v1/models\"} 3";
    assert!(get(&server, "/metrics").await.text.contains(line));
}

#[tokio::test]
async fn addresses_that_are_made_up_do_not_add_metrics() {
    let server = server();
    for id in 0..5 {
        get(&server, &format!("/v1/models/made-up/{id}")).await;
    }
    let text = get(&server, "/metrics").await.text;
    assert!(
        text.contains("portproof_requests_total{path=\"/v1/models/{id}\"} 5"),
        "{text}"
    );
}

#[tokio::test]
async fn answers_and_streams_are_counted_when_they_have_ended() {
    let server = server();
    post(&server, question().to_string()).await;
    let streamed = with(
        answered_question(),
        &json!({"stream": true, "max_tokens": 1}),
    );
    post(&server, streamed.to_string()).await;
    post(&server, "{}").await;
    let text = get(&server, "/metrics").await.text;
    for line in [
        "vllm:num_requests_running{model_name=\"model-stable\"} 0",
        "vllm:request_success_total{finished_reason=\"stop\",model_name=\"model-stable\"} 1",
        "vllm:request_success_total{finished_reason=\"length\",model_name=\"model-stable\"} 1",
        "vllm:request_success_total{finished_reason=\"abort\",model_name=\"model-stable\"} 0",
        "vllm:e2e_request_latency_seconds_count{model_name=\"model-stable\"} 2",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is not in\n{text}"
        );
    }
}

#[tokio::test]
async fn a_stream_that_nobody_reads_counts_as_aborted() {
    let server = server();
    let streamed = with(answered_question(), &json!({"stream": true})).to_string();
    let request = Request::post(CHAT).header(header::CONTENT_TYPE, "application/json");
    let response = server
        .clone()
        .oneshot(request.body(Body::from(streamed)).unwrap())
        .await
        .unwrap();
    drop(response);
    let text = get(&server, "/metrics").await.text;
    let line =
        "vllm:request_success_total{finished_reason=\"abort\",model_name=\"model-stable\"} 1";
    assert!(text.contains(line), "{text}");
}

#[test]
fn an_engine_and_an_upstream_cannot_both_answer() {
    let parse = |more: &[&str]| {
        let command = ["agent-stack", "model", "--name", "m"];
        Cli::try_parse_from(command.iter().chain(more)).map(drop)
    };
    let (engine, upstream) = (["--engine", "ref-planner-v2"], ["--upstream", "http://x"]);
    assert!(parse(&engine).is_ok() && parse(&upstream).is_ok());
    assert!(parse(&[engine, upstream].concat()).is_err());
    assert!(parse(&["--engine", "ref-planner-v9"]).is_err());
}
