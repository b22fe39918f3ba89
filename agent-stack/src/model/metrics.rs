//! Prometheus metrics under the names that vLLM uses, so that dashboards and autoscalers for vLLM work unchanged.

use super::openai::Usage;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::fmt;
use std::time::Duration;

/// Media type of [`Metrics::text`].
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the latency buckets, in seconds.
const LATENCY_BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabels {
    model_name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SuccessLabels {
    model_name: String,
    finished_reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PathLabels {
    path: String,
}

/// The counters of one model server.
pub(super) struct Metrics {
    registry: Registry,
    model: ModelLabels,
    running: Family<ModelLabels, Gauge>,
    success: Family<SuccessLabels, Counter>,
    prompt_tokens: Family<ModelLabels, Counter>,
    generation_tokens: Family<ModelLabels, Counter>,
    latency: Family<ModelLabels, Histogram, fn() -> Histogram>,
    requests: Family<PathLabels, Counter>,
    total: Counter,
}

impl Metrics {
    pub(super) fn new(model_name: &str) -> Self {
        let latency = Family::new_with_constructor(latency_histogram as fn() -> Histogram);
        let mut metrics = Self {
            registry: Registry::default(),
            model: ModelLabels {
                model_name: model_name.to_owned(),
            },
            running: Family::default(),
            success: Family::default(),
            prompt_tokens: Family::default(),
            generation_tokens: Family::default(),
            latency,
            requests: Family::default(),
            total: Counter::default(),
        };
        metrics.register();
        metrics
    }

    /// Registers every family and makes those of the model exist before the first request. The encoder adds `_total`.
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "vllm:num_requests_running",
            "Chat requests being answered",
            self.running.clone(),
        );
        registry.register(
            "vllm:request_success",
            "Chat requests answered",
            self.success.clone(),
        );
        registry.register(
            "vllm:prompt_tokens",
            "Tokens of all prompts",
            self.prompt_tokens.clone(),
        );
        registry.register(
            "vllm:generation_tokens",
            "Tokens of all answers",
            self.generation_tokens.clone(),
        );
        registry.register(
            "vllm:e2e_request_latency_seconds",
            "Time to answer a chat request",
            self.latency.clone(),
        );
        registry.register(
            "portproof_requests",
            "HTTP requests received, by path",
            self.requests.clone(),
        );
        drop(self.running.get_or_create(&self.model));
        drop(self.prompt_tokens.get_or_create(&self.model));
        drop(self.generation_tokens.get_or_create(&self.model));
        drop(self.latency.get_or_create(&self.model));
    }

    /// Counts an HTTP request.
    pub(super) fn received(&self, path: &str) {
        self.total.inc();
        self.requests
            .get_or_create(&PathLabels {
                path: path.to_owned(),
            })
            .inc();
    }

    /// HTTP requests counted so far.
    pub(super) fn count(&self) -> u64 {
        self.total.get()
    }

    /// A chat request began; it counts as running until the guard is dropped.
    pub(super) fn begin(&self) -> Running {
        let running = self.running.get_or_create_owned(&self.model);
        running.inc();
        Running(running)
    }

    /// A chat request was answered.
    pub(super) fn finished(&self, finish_reason: &str, usage: Usage, elapsed: Duration) {
        let labels = SuccessLabels {
            model_name: self.model.model_name.clone(),
            finished_reason: finish_reason.to_owned(),
        };
        self.success.get_or_create(&labels).inc();
        self.prompt_tokens
            .get_or_create(&self.model)
            .inc_by(usage.prompt_tokens.into());
        self.generation_tokens
            .get_or_create(&self.model)
            .inc_by(usage.completion_tokens.into());
        self.latency
            .get_or_create(&self.model)
            .observe(elapsed.as_secs_f64());
    }

    /// All metrics in the OpenMetrics text format.
    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn latency_histogram() -> Histogram {
    Histogram::new(LATENCY_BUCKETS)
}

/// A running chat request.
pub(super) struct Running(Gauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_carry_the_names_of_vllm() {
        let metrics = Metrics::new("m");
        metrics.received("/v1/models");
        let running = metrics.begin();
        let usage = Usage {
            prompt_tokens: 7,
            completion_tokens: 2,
            total_tokens: 9,
        };
        metrics.finished("stop", usage, Duration::from_millis(3));
        let text = metrics.text().unwrap();
        for line in [
            "vllm:num_requests_running{model_name=\"m\"} 1",
            "vllm:request_success_total{model_name=\"m\",finished_reason=\"stop\"} 1",
            "vllm:prompt_tokens_total{model_name=\"m\"} 7",
            "vllm:generation_tokens_total{model_name=\"m\"} 2",
            "vllm:e2e_request_latency_seconds_count{model_name=\"m\"} 1",
            "portproof_requests_total{path=\"/v1/models\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        drop(running);
        assert!(
            metrics
                .text()
                .unwrap()
                .contains("vllm:num_requests_running{model_name=\"m\"} 0")
        );
    }
}
