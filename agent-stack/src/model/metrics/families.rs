//! The metrics of the model, each with its name in vLLM.

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

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

    const fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Abort => "abort",
        }
    }
}

/// What is counted and timed of requests.
pub(super) struct Families {
    requests: IntCounterVec,
    pub(super) running: IntGauge,
    pub(super) waiting: IntGauge,
    success: IntCounterVec,
    pub(super) prompt_tokens: IntCounter,
    pub(super) generation_tokens: IntCounter,
    pub(super) queue_time: Histogram,
    pub(super) time_to_first_token: Histogram,
    pub(super) inter_token_latency: Histogram,
    pub(super) time_per_output_token: Histogram,
    pub(super) latency: Histogram,
}

impl Families {
    /// Metrics in `registry`.
    pub(super) fn new(registry: &Registry, model_name: &str) -> Self {
        let add = Adding {
            registry,
            model_name,
        };
        let families = Self {
            requests: add.requests(),
            running: add.gauge("num_requests_running", "Chat requests being answered"),
            waiting: add.gauge("num_requests_waiting", "Chat requests that wait their turn"),
            success: add.ended(),
            prompt_tokens: add.counter("prompt_tokens_total", "Tokens of all prompts"),
            generation_tokens: add.counter("generation_tokens_total", "Tokens of all answers"),
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
            drop(families.success.with_label_values(&[reason.word()]));
        }
        families
    }

    /// One more HTTP request came for `path`.
    pub(super) fn received(&self, path: &str) {
        self.requests.with_label_values(&[path]).inc();
    }

    /// One more answer ended for `reason`.
    pub(super) fn finished(&self, reason: Finished) {
        self.success.with_label_values(&[reason.word()]).inc();
    }
}

/// Adds metrics to a registry: our own as they are, vLLM's under its prefix and with the name of the model.
struct Adding<'a> {
    registry: &'a Registry,
    model_name: &'a str,
}

impl Adding<'_> {
    fn requests(&self) -> IntCounterVec {
        let options = Opts::new(
            "portproof_requests_total",
            "HTTP requests received, by path",
        );
        self.add(IntCounterVec::new(options, &["path"]))
    }

    fn ended(&self) -> IntCounterVec {
        let help = "Chat requests answered, by reason to end";
        let options = self.options("request_success_total", help);
        self.add(IntCounterVec::new(options, &["finished_reason"]))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::with_opts(self.options(name, help)))
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::with_opts(self.options(name, help)))
    }

    fn time(&self, name: &str, help: &str) -> Histogram {
        let options = self.options(&format!("{name}_seconds"), help);
        self.add(Histogram::with_opts(
            HistogramOpts::from(options).buckets(TIME_BUCKETS.to_vec()),
        ))
    }

    fn options(&self, name: &str, help: &str) -> Opts {
        Opts::new(format!("vllm:{name}"), help).const_label("model_name", self.model_name)
    }

    fn add<M: Collector + Clone + 'static>(&self, metric: prometheus::Result<M>) -> M {
        let metric = metric.expect("names of metrics and labels are constants, and valid");
        if let Err(error) = self.registry.register(Box::new(metric.clone())) {
            tracing::warn!(%error, "a metric of the model is not shown");
        }
        metric
    }
}
