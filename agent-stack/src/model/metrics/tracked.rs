//! One chat request from its arrival to the end of its answer.

use super::{Counted, Finished, Metrics};
use crate::model::openai::Usage;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::OwnedSemaphorePermit;

/// A chat request that is being answered. Dropped before it is finished, it counts as aborted.
pub(in crate::model) struct Tracked {
    metrics: Arc<Metrics>,
    arrived: Instant,
    first: Option<Instant>,
    last: Option<Instant>,
    ended: bool,
    _permit: Option<OwnedSemaphorePermit>,
    _running: Counted,
}

impl Tracked {
    pub(super) fn new(
        metrics: Arc<Metrics>,
        arrived: Instant,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self {
            _running: Counted::new(&metrics.families.running),
            metrics,
            arrived,
            first: None,
            last: None,
            ended: false,
            _permit: permit,
        }
    }

    /// A piece of the answer is there.
    pub(in crate::model) fn token(&mut self) {
        let now = Instant::now();
        let families = &self.metrics.families;
        let (times, since) = match self.last {
            None => (&families.time_to_first_token, self.arrived),
            Some(last) => (&families.inter_token_latency, last),
        };
        times.observe((now - since).as_secs_f64());
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// The answer of the engine is complete.
    pub(in crate::model) fn finish(mut self, reason: Finished, usage: Usage) {
        self.end();
        let families = &self.metrics.families;
        families.finished(reason);
        families.prompt_tokens.inc_by(usage.prompt_tokens.into());
        families
            .generation_tokens
            .inc_by(usage.completion_tokens.into());
        if let Some(first) = self.first
            && usage.completion_tokens > 1
        {
            let later = f64::from(usage.completion_tokens - 1);
            let each = first.elapsed().as_secs_f64() / later;
            families.time_per_output_token.observe(each);
        }
    }

    /// The answer of the upstream is passed on; how it ended is for the upstream to count.
    pub(in crate::model) fn relayed(mut self) {
        self.end();
    }

    /// There is no answer, for a reason that is told to the client.
    pub(in crate::model) fn failed(mut self) {
        self.ended = true;
    }

    fn end(&mut self) {
        self.ended = true;
        let elapsed = self.arrived.elapsed().as_secs_f64();
        self.metrics.families.latency.observe(elapsed);
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        if !self.ended {
            self.metrics.families.finished(Finished::Abort);
        }
    }
}
