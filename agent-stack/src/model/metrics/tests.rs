use super::*;
use crate::model::openai::Usage;
use prometheus::TextEncoder;

const USAGE: Usage = Usage {
    prompt_tokens: 7,
    completion_tokens: 2,
    total_tokens: 9,
};

fn metrics() -> (Registry, Arc<Metrics>) {
    let registry = Registry::new();
    let metrics = Arc::new(Metrics::new(&registry, "m"));
    (registry, metrics)
}

fn assert_has(registry: &Registry, lines: &[&str]) {
    let text = TextEncoder::new().encode_to_string(&registry.gather());
    let text = text.unwrap();
    for line in lines {
        assert!(
            text.lines().any(|found| found == *line),
            "{line} is not in\n{text}"
        );
    }
}

#[tokio::test]
async fn the_families_carry_the_names_of_vllm() {
    let (registry, metrics) = metrics();
    metrics.received("/v1/models");
    let mut tracked = metrics.admit().await;
    assert_has(
        &registry,
        &["vllm:num_requests_running{model_name=\"m\"} 1"],
    );
    tracked.token();
    tracked.token();
    tracked.finish(Finished::Stop, USAGE);
    assert_has(
        &registry,
        &[
            "# TYPE vllm:request_success_total counter",
            "vllm:num_requests_running{model_name=\"m\"} 0",
            "vllm:num_requests_waiting{model_name=\"m\"} 0",
            "vllm:request_success_total{finished_reason=\"stop\",model_name=\"m\"} 1",
            "vllm:request_success_total{finished_reason=\"abort\",model_name=\"m\"} 0",
            "vllm:prompt_tokens_total{model_name=\"m\"} 7",
            "vllm:generation_tokens_total{model_name=\"m\"} 2",
            "vllm:request_queue_time_seconds_count{model_name=\"m\"} 1",
            "vllm:time_to_first_token_seconds_count{model_name=\"m\"} 1",
            "vllm:inter_token_latency_seconds_count{model_name=\"m\"} 1",
            "vllm:request_time_per_output_token_seconds_count{model_name=\"m\"} 1",
            "vllm:e2e_request_latency_seconds_count{model_name=\"m\"} 1",
            "portproof_requests_total{path=\"/v1/models\"} 1",
        ],
    );
}

#[tokio::test]
async fn an_answer_that_nobody_waits_for_is_an_abort_and_no_success() {
    let (registry, metrics) = metrics();
    drop(metrics.admit().await);
    assert_has(
        &registry,
        &[
            "vllm:num_requests_running{model_name=\"m\"} 0",
            "vllm:request_success_total{finished_reason=\"abort\",model_name=\"m\"} 1",
            "vllm:e2e_request_latency_seconds_count{model_name=\"m\"} 0",
        ],
    );
}

#[tokio::test]
async fn requests_beyond_the_capacity_wait_and_show_as_waiting() {
    let (registry, metrics) = metrics();
    let mut running = Vec::new();
    for _ in 0..CAPACITY {
        running.push(metrics.admit().await);
    }
    let mut waiting = Box::pin(metrics.admit());
    assert!(futures::poll!(&mut waiting).is_pending());
    assert_has(
        &registry,
        &[
            "vllm:num_requests_running{model_name=\"m\"} 256",
            "vllm:num_requests_waiting{model_name=\"m\"} 1",
        ],
    );
    running.pop();
    drop(waiting.await);
    assert_has(
        &registry,
        &["vllm:num_requests_waiting{model_name=\"m\"} 0"],
    );
}
