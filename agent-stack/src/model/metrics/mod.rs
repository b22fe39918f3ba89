//! Prometheus metrics under the names that vLLM uses, so that dashboards and autoscalers for vLLM work unchanged.
//!
//! Left out is what would not be true here: there is no cache of keys and values, so no `vllm:kv_cache_usage_perc`. What a
//! relayed answer is worth in tokens, and how it ended, stands in the metrics of the upstream.

mod exposition;
mod families;
#[cfg(test)]
mod tests;
mod tracked;

pub(super) use exposition::Exposition;
pub(super) use families::Finished;
pub(super) use tracked::Tracked;

use super::complete::FinishReason;
use families::Families;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;

/// Chat requests that are answered at a time, as many as vLLM's default; others wait.
const CAPACITY: usize = 256;

impl From<FinishReason> for Finished {
    fn from(reason: FinishReason) -> Self {
        match reason {
            FinishReason::Length => Self::Length,
            FinishReason::Stop | FinishReason::ToolCalls => Self::Stop,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PathLabels {
    path: String,
}

/// The metrics of one model server.
pub(super) struct Metrics {
    registry: Registry,
    families: Families,
    requests: Family<PathLabels, Counter>,
    total: Counter,
    slots: Arc<Semaphore>,
}

impl Metrics {
    pub(super) fn new(model_name: &str) -> Self {
        let mut registry = Registry::default();
        let requests = Family::default();
        let help = "HTTP requests received, by path";
        registry.register("portproof_requests", help, requests.clone());
        let label = ("model_name".into(), model_name.to_owned().into());
        let families = Families::new(registry.sub_registry_with_label(label));
        Self {
            registry,
            families,
            requests,
            total: Counter::default(),
            slots: Arc::new(Semaphore::new(CAPACITY)),
        }
    }

    /// Counts an HTTP request by the route it took.
    pub(super) fn received(&self, path: &str) {
        self.total.inc();
        let labels = PathLabels {
            path: path.to_owned(),
        };
        self.requests.get_or_create(&labels).inc();
    }

    /// HTTP requests counted so far.
    pub(super) fn count(&self) -> u64 {
        self.total.get()
    }

    /// Waits until a chat request may be answered; it counts as running until the result is dropped.
    pub(super) async fn admit(self: &Arc<Self>) -> Tracked {
        let arrived = Instant::now();
        let waiting = Counted::new(&self.families.waiting);
        // The semaphore is never closed, so there always is a permit.
        let permit = Arc::clone(&self.slots).acquire_owned().await.ok();
        drop(waiting);
        let waited = arrived.elapsed().as_secs_f64();
        self.families.queue_time.observe(waited);
        Tracked::new(Arc::clone(self), arrived, permit)
    }

    /// All metrics in a text format.
    pub(super) fn text(&self, exposition: Exposition) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(exposition.write(text))
    }
}

/// One in a gauge, until it is dropped.
struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
