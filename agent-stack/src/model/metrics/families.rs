//! The metrics of the model, each with its name in vLLM.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

/// Upper bounds of the time buckets, in seconds: fine where the reference planner is, wide enough for a real model.
const TIME_BUCKETS: [f64; 19] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0, 120.0, 300.0,
];

/// How an answer ended, in the words of vLLM, for which a call of tools is a stop like any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Finished {
    /// The answer is complete.
    Stop,
    /// The limit of tokens was reached.
    Length,
    /// The client left.
    Abort,
}

impl Finished {
    const ALL: [Self; 3] = [Self::Stop, Self::Length, Self::Abort];

    const fn labels(self) -> FinishedLabels {
        let finished_reason = match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Abort => "abort",
        };
        FinishedLabels { finished_reason }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FinishedLabels {
    finished_reason: &'static str,
}

/// What is counted and timed of chat requests.
pub(super) struct Families {
    pub(super) running: Gauge,
    pub(super) waiting: Gauge,
    success: Family<FinishedLabels, Counter>,
    pub(super) prompt_tokens: Counter,
    pub(super) generation_tokens: Counter,
    pub(super) queue_time: Histogram,
    pub(super) time_to_first_token: Histogram,
    pub(super) inter_token_latency: Histogram,
    pub(super) time_per_output_token: Histogram,
    pub(super) latency: Histogram,
}

impl Families {
    /// Metrics in `registry`. The encoder adds `_total` to the names of counters.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let mut add = Adding(registry);
        let families = Self {
            running: add.one("num_requests_running", "Chat requests being answered"),
            waiting: add.one("num_requests_waiting", "Chat requests that wait their turn"),
            success: add.one(
                "request_success",
                "Chat requests answered, by reason to end",
            ),
            prompt_tokens: add.one("prompt_tokens", "Tokens of all prompts"),
            generation_tokens: add.one("generation_tokens", "Tokens of all answers"),
            queue_time: add.time("request_queue_time", "Waiting of a chat request"),
            time_to_first_token: add.time("time_to_first_token", "Arrival to first piece"),
            inter_token_latency: add.time("inter_token_latency", "Piece to piece of an answer"),
            time_per_output_token: add.time(
                "request_time_per_output_token",
                "First to last token of an answer, for each token after the first",
            ),
            latency: add.time("e2e_request_latency", "Arrival to end of the answer"),
        };
        // Rates over a counter begin at zero only if it is there before it counts.
        for reason in Finished::ALL {
            drop(families.success.get_or_create(&reason.labels()));
        }
        families
    }

    /// One more answer ended for `reason`.
    pub(super) fn finished(&self, reason: Finished) {
        self.success.get_or_create(&reason.labels()).inc();
    }
}

/// Adds metrics to a registry, under vLLM's prefix.
struct Adding<'a>(&'a mut Registry);

impl Adding<'_> {
    fn one<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        self.add(name, help, M::default())
    }

    fn time(&mut self, name: &str, help: &str) -> Histogram {
        self.add(
            &format!("{name}_seconds"),
            help,
            Histogram::new(TIME_BUCKETS),
        )
    }

    fn add<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0
            .register(format!("vllm:{name}"), help, metric.clone());
        metric
    }
}
