//! Prometheus metrics under the names that vLLM uses, so that dashboards and autoscalers for vLLM work unchanged.
//!
//! Left out is what would not be true here: there is no cache of keys and values, so no `vllm:kv_cache_usage_perc`. What a
//! relayed answer is worth in tokens, and how it ended, stands in the metrics of the upstream.

mod families;
#[cfg(test)]
mod tests;
mod tracked;

pub(super) use families::Finished;
pub(super) use tracked::Tracked;

use super::complete::FinishReason;
use families::Families;
use prometheus::{IntGauge, Registry};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// The metrics of one model server.
pub(super) struct Metrics {
    families: Families,
    received: AtomicU64,
    slots: Arc<Semaphore>,
}

impl Metrics {
    /// Metrics of the model `model_name`, to be gathered from `registry`.
    pub(super) fn new(registry: &Registry, model_name: &str) -> Self {
        Self {
            families: Families::new(registry, model_name),
            received: AtomicU64::new(0),
            slots: Arc::new(Semaphore::new(CAPACITY)),
        }
    }

    /// Counts an HTTP request by the route it took.
    pub(super) fn received(&self, path: &str) {
        self.received.fetch_add(1, Ordering::Relaxed);
        self.families.received(path);
    }

    /// HTTP requests counted so far.
    pub(super) fn count(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
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
}

/// One in a gauge, until it is dropped.
struct Counted(IntGauge);

impl Counted {
    fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
