//! What a part counts: one set of OpenTelemetry instruments, read by two readers.
//!
//! The same instruments leave by OTLP (pushed, where the part has an endpoint) and as Prometheus text (pulled, at
//! `/metrics`, see [`super::exposition`]). Names follow OpenTelemetry's semantic conventions; labels come from small sets
//! (route templates, methods, names of Tools that exist), and the SDK folds what still becomes too much into one series.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider as _, UpDownCounter};
use opentelemetry_otlp::{ExporterBuildError, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::{MeterProviderBuilder, PeriodicReader, SdkMeterProvider};
use portproof_proto::telemetry as names;
use prometheus::{Registry, TextEncoder};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often metrics are pushed.
const PUSH_INTERVAL: Duration = Duration::from_secs(10);
/// Longest time a push may take.
const PUSH_LIMIT: Duration = Duration::from_secs(5);
/// Bucket bounds in seconds that the semantic conventions advise for HTTP requests.
const OF_REQUESTS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
/// Bucket bounds in seconds that they advise for MCP operations, which may take minutes.
const OF_OPERATIONS: [f64; 14] = [
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
];

/// The instruments of one part. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Instruments>);

#[derive(Debug)]
struct Instruments {
    provider: SdkMeterProvider,
    registry: Registry,
    requests: Histogram<f64>,
    active: UpDownCounter<i64>,
    calls: Histogram<f64>,
    tasks: Histogram<f64>,
    programs: Counter<u64>,
    received: Counter<u64>,
}

impl Metrics {
    /// Instruments of the part that `resource` describes, pushed to the OTLP endpoint where there is one.
    ///
    /// # Errors
    /// When nothing can be pushed to the endpoint. Must run inside a Tokio runtime.
    pub(super) fn start(
        resource: Resource,
        endpoint: Option<&str>,
    ) -> Result<Self, ExporterBuildError> {
        let builder = SdkMeterProvider::builder().with_resource(resource);
        Ok(Self::build(match endpoint {
            None => builder,
            Some(endpoint) => builder.with_reader(pushed(endpoint)?),
        }))
    }

    /// Instruments that are read only at `/metrics`.
    pub(crate) fn disabled() -> Self {
        Self::unpushed(super::resource("agent-stack", |_| None))
    }

    /// Instruments of the part that `resource` describes, read only at `/metrics`.
    pub(super) fn unpushed(resource: Resource) -> Self {
        Self::build(SdkMeterProvider::builder().with_resource(resource))
    }

    /// Instruments that nobody reads, always the same ones.
    pub(super) fn nowhere() -> Self {
        static NOWHERE: LazyLock<Metrics> =
            LazyLock::new(|| Metrics::unpushed(Resource::builder_empty().build()));
        NOWHERE.clone()
    }

    fn build(builder: MeterProviderBuilder) -> Self {
        let registry = Registry::new();
        let provider = pulled(builder, &registry).build();
        let meter = provider.meter("agent-stack");
        describe_process(&meter);
        Self(Arc::new(Instruments {
            requests: seconds(
                &meter,
                "http.server.request.duration",
                "Duration of HTTP requests, until the answer has been sent",
                &OF_REQUESTS,
            ),
            active: meter
                .i64_up_down_counter("http.server.active_requests")
                .with_unit("{request}")
                .with_description("HTTP requests being answered")
                .build(),
            calls: seconds(
                &meter,
                "mcp.server.operation.duration",
                "Duration of MCP tool calls; a failed one carries its class of error",
                &OF_OPERATIONS,
            ),
            tasks: seconds(
                &meter,
                "gen_ai.invoke_agent.duration",
                "Duration of the agent's tasks; a failed one carries its class of error",
                &OF_OPERATIONS,
            ),
            programs: meter
                .u64_counter("portproof.interpreter.runs")
                .with_unit("{run}")
                .with_description("Programs run, by what ended them")
                .build(),
            received: meter
                .u64_counter("portproof.otlp.received")
                .with_unit("{item}")
                .with_description("Spans and data points received over OTLP")
                .build(),
            provider,
            registry,
        }))
    }

    /// An HTTP request began.
    pub(super) fn request_began(&self, attributes: &[KeyValue]) {
        self.0.active.add(1, attributes);
    }

    /// An HTTP request that [`Metrics::request_began`] counted is over.
    pub(super) fn request_ended(&self, attributes: &[KeyValue]) {
        self.0.active.add(-1, attributes);
    }

    /// An HTTP request took this long.
    pub(super) fn request_took(&self, elapsed: Duration, attributes: &[KeyValue]) {
        self.0.requests.record(elapsed.as_secs_f64(), attributes);
    }

    /// A tool call took this long; `tool` is the name of a Tool that exists, `error_type` the class of its failure.
    pub fn tool_called(&self, tool: &str, error_type: Option<&str>, elapsed: Duration) {
        let mut attributes = vec![
            KeyValue::new(names::MCP_METHOD, names::TOOLS_CALL),
            KeyValue::new(names::TOOL_NAME, tool.to_owned()),
        ];
        attributes.extend(failure(error_type));
        self.0.calls.record(elapsed.as_secs_f64(), &attributes);
    }

    /// A task of the agent took this long; `error_type` is the class of its failure.
    pub fn task_ended(&self, agent: &str, error_type: Option<&str>, elapsed: Duration) {
        let mut attributes = vec![KeyValue::new(names::AGENT_NAME, agent.to_owned())];
        attributes.extend(failure(error_type));
        self.0.tasks.record(elapsed.as_secs_f64(), &attributes);
    }

    /// A program was ended by `reason`, a word of a fixed set.
    pub fn program_ended(&self, reason: &'static str) {
        self.0.programs.add(1, &[KeyValue::new("reason", reason)]);
    }

    /// Spans or data points came in over OTLP; every word is of a fixed set.
    pub(crate) fn received(
        &self,
        signal: &'static str,
        service: &'static str,
        outcome: &'static str,
        items: usize,
    ) {
        let attributes = [
            KeyValue::new("signal", signal),
            KeyValue::new("service", service),
            KeyValue::new("outcome", outcome),
        ];
        let items = u64::try_from(items).unwrap_or(u64::MAX);
        self.0.received.add(items, &attributes);
    }

    /// Where `/metrics` is gathered from; a part adds what it counts under names that are not OpenTelemetry's.
    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Everything counted so far, in the text format 0.0.4 that every Prometheus reads.
    ///
    /// # Errors
    /// When something was counted that the format has no words for.
    pub fn text(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.0.registry.gather())
    }

    /// Pushes what has not been pushed yet and stops. Blocks.
    pub(super) fn shutdown(&self, limit: Duration) -> OTelSdkResult {
        self.0.provider.shutdown_with_timeout(limit)
    }
}

fn failure(error_type: Option<&str>) -> Option<KeyValue> {
    error_type.map(|class| KeyValue::new(names::ERROR_TYPE, class.to_owned()))
}

fn seconds(
    meter: &Meter,
    name: &'static str,
    description: &'static str,
    bounds: &[f64],
) -> Histogram<f64> {
    meter
        .f64_histogram(name)
        .with_unit("s")
        .with_description(description)
        .with_boundaries(bounds.to_vec())
        .build()
}

/// Facts that hold as long as the process does.
fn describe_process(meter: &Meter) {
    let started = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    meter
        .f64_gauge("process.start_time")
        .with_unit("s")
        .with_description("When the process started, as Unix time")
        .build()
        .record(started.as_secs_f64(), &[]);
    meter
        .u64_gauge("portproof.build_info")
        .with_description("Version of the program; always 1")
        .build()
        .record(1, &[KeyValue::new("version", env!("CARGO_PKG_VERSION"))]);
}

fn pushed(
    endpoint: &str,
) -> Result<PeriodicReader<opentelemetry_otlp::MetricExporter>, ExporterBuildError> {
    let exporter = opentelemetry_otlp::MetricExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(PUSH_LIMIT)
        .build()?;
    Ok(PeriodicReader::builder(exporter)
        .with_interval(PUSH_INTERVAL)
        .build())
}

/// Adds a reader that puts everything into `registry` whenever that is gathered.
fn pulled(builder: MeterProviderBuilder, registry: &Registry) -> MeterProviderBuilder {
    let exporter = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        // Every instrument is of one scope, which would be one more label on every sample.
        .scope_info_enabled(false);
    match exporter.build() {
        Ok(reader) => builder.with_reader(reader),
        Err(error) => {
            tracing::warn!(error = super::chain(&error), "metrics cannot be pulled");
            builder
        }
    }
}
