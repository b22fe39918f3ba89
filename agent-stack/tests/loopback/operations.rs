//! A part as an orchestrator runs it: its end after SIGTERM, its log, its metrics.

use crate::part::{Part, client};
use crate::stack::{TRACE, start};
use crate::upstream::{KEY, MODEL, key_file, keyed};
use serde_json::json;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_sigterm_a_part_says_that_it_leaves_and_serves_until_its_time_is_over() {
    let part = Part::start(&["catalog"], &[("PORTPROOF_ANNOUNCE_MS", "3000")]).await;
    assert_eq!(part.get("/readyz").await.0, 200);
    part.terminate();
    while part.get("/readyz").await.0 == 200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(part.get("/livez").await.0, 200);
    assert_eq!(part.get("/v1/items/SKU-2048").await.0, 200);
    let (status, log) = part.end().await;
    assert!(status.success(), "{status}");
    assert!(
        log.iter()
            .any(|line| line["message"] == "stopping on SIGTERM")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_names_the_part_the_cluster_and_the_trace_and_keeps_secrets_out() {
    let environment = [("RUST_LOG", "agent_stack=debug"), ("CLUSTER_UID", "uid-c")];
    let part = Part::start(&["catalog"], &environment).await;
    part.get("/v1/items/SKU-2048?token=of-bad-news").await;
    part.terminate();
    let (_, log) = part.end().await;
    for line in &log {
        assert_eq!(
            (&line["part"], &line["cluster_uid"]),
            (&"catalog".into(), &"uid-c".into())
        );
        assert!(!line.to_string().contains("of-bad-news"), "{line}");
    }
    let access: Vec<_> = log
        .iter()
        .filter(|line| line["target"] == "agent_stack::access")
        .collect();
    assert_eq!(access.len(), 1, "{log:?}");
    assert_eq!(access[0]["trace_id"], TRACE);
    assert_eq!(
        (&access[0]["route"], &access[0]["status"]),
        (&"/v1/items/{sku}".into(), &200.into())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_shows_the_names_of_vllm_and_what_every_part_counts_on_one_page() {
    let part = Part::start(&["model", "--name", "model-stable"], &[]).await;
    part.get("/v1/models").await;
    let (status, text) = part.get("/metrics").await;
    assert_eq!(status, 200);
    for family in [
        "# TYPE vllm:num_requests_running gauge",
        "# TYPE http_server_request_duration_seconds histogram",
        "# TYPE process_start_time_seconds gauge",
    ] {
        assert_eq!(text.matches(family).count(), 1, "{family} in\n{text}");
    }
    assert!(text.contains("service_name=\"model-stable\""), "{text}");
    part.terminate();
    part.end().await;
}

/// A node whose log collector restarts leaves its parts with a pipe that nobody reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_whose_log_nobody_reads_any_more_serves_on_and_ends_on_sigterm() {
    let gateway: &[&str] = &["gateway", "--conformance-fixture"];
    for arguments in [gateway, &["catalog"]] {
        let mut part = Part::start(arguments, &[("RUST_LOG", "debug")]).await;
        drop(part.process.stderr.take());
        // Each request is logged, and the client's own connection more than once.
        for _ in 0..3 {
            assert_eq!(part.get("/livez").await.0, 200, "{arguments:?}");
        }
        part.terminate();
        let (status, _) = part.end().await;
        assert!(status.success(), "{arguments:?}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_the_upstream_is_read_from_a_file_and_never_logged() {
    let shutdown = CancellationToken::new();
    let upstream = format!("http://{}", start(keyed(), &shutdown).await);
    let file = key_file();
    let environment = [
        ("PORTPROOF_UPSTREAM_KEY_FILE", file.path().to_str().unwrap()),
        ("RUST_LOG", "trace"),
    ];
    let part = Part::start(
        &["model", "--name", "front", "--upstream", &upstream],
        &environment,
    )
    .await;
    let sent = client()
        .post(format!("http://{}/v1/chat/completions", part.address))
        .json(&json!({"model": MODEL, "messages": [{"role": "user", "content": "What?"}]}));
    assert_eq!(sent.send().await.unwrap().status(), 200);
    part.terminate();
    let (status, log) = part.end().await;
    assert!(status.success() && !log.is_empty(), "{status}");
    assert!(log.iter().all(|line| !line.to_string().contains(KEY)));
    shutdown.cancel();
}
