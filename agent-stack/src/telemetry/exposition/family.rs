//! Metric families: a name, a type, and samples with labels.

use super::Format;
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, Gauge, Histogram, Metric, MetricData, ResourceMetrics, Sum,
};
use std::fmt::Write as _;

/// Labels in the order they are written.
type Labels = Vec<(String, String)>;

/// All samples of one name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Family {
    /// Without the suffix of counters.
    name: String,
    help: String,
    kind: Kind,
    samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
    /// A gauge that is always 1 and means its labels.
    Info,
}

#[derive(Clone, Debug, PartialEq)]
struct Sample {
    suffix: &'static str,
    labels: Labels,
    value: String,
}

/// Every family of a collection, in the order of their names.
pub(super) fn families(collected: &ResourceMetrics) -> Vec<Family> {
    let metrics = collected
        .scope_metrics()
        .flat_map(opentelemetry_sdk::metrics::data::ScopeMetrics::metrics);
    let mut families: Vec<Family> = metrics.filter_map(family).collect();
    families.push(target(collected.resource()));
    families.sort_by(|one, other| one.name.cmp(&other.name));
    families
}

impl Family {
    /// The name as its `TYPE` line has it: before OpenMetrics, a suffix of all samples was part of the name.
    pub(super) fn announced(&self, format: Format) -> String {
        let suffix = match (format, self.kind) {
            (Format::Prometheus, Kind::Counter) => "_total",
            (Format::Prometheus, Kind::Info) => "_info",
            _ => "",
        };
        format!("{}{suffix}", self.name)
    }

    /// Appends the lines of the family.
    pub(super) fn write(&self, format: Format, text: &mut String) {
        let name = self.announced(format);
        let kind = match (format, self.kind) {
            (_, Kind::Counter) => "counter",
            (_, Kind::Histogram) => "histogram",
            (Format::OpenMetrics, Kind::Info) => "info",
            (_, Kind::Gauge | Kind::Info) => "gauge",
        };
        // Writing into a string cannot fail.
        let _ = writeln!(text, "# HELP {name} {}", escape(&self.help));
        let _ = writeln!(text, "# TYPE {name} {kind}");
        for sample in &self.samples {
            let _ = write!(text, "{}{}", self.name, sample.suffix);
            write_labels(&sample.labels, text);
            let _ = writeln!(text, " {}", sample.value);
        }
    }
}

fn write_labels(labels: &Labels, text: &mut String) {
    if labels.is_empty() {
        return;
    }
    let labels: Vec<_> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
        .collect();
    let _ = write!(text, "{{{}}}", labels.join(","));
}

/// Escapes what would end a line or a label's value.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('"', "\\\"")
}

/// The resource, as one series to join others with.
fn target(resource: &Resource) -> Family {
    let labels = resource
        .iter()
        .map(|(key, value)| (allowed(key.as_str()), value.to_string()));
    let mut labels: Labels = labels.collect();
    labels.sort();
    let sample = Sample {
        suffix: "_info",
        labels,
        value: "1".to_owned(),
    };
    Family {
        name: "target".to_owned(),
        help: "The part and where it runs".to_owned(),
        kind: Kind::Info,
        samples: vec![sample],
    }
}

fn family(metric: &Metric) -> Option<Family> {
    let (kind, samples) = match metric.data() {
        AggregatedMetrics::F64(data) => points(data)?,
        AggregatedMetrics::U64(data) => points(data)?,
        AggregatedMetrics::I64(data) => points(data)?,
    };
    let name = name(metric.name(), metric.unit());
    let (kind, name, samples) = match name.strip_suffix("_info") {
        Some(stem) if kind == Kind::Gauge => (Kind::Info, stem.to_owned(), suffixed(samples)),
        _ => (kind, name, samples),
    };
    Some(Family {
        name,
        help: metric.description().to_owned(),
        kind,
        samples,
    })
}

fn suffixed(samples: Vec<Sample>) -> Vec<Sample> {
    let suffix = |sample: Sample| Sample {
        suffix: "_info",
        ..sample
    };
    samples.into_iter().map(suffix).collect()
}

/// The name Prometheus knows a metric by.
fn name(name: &str, unit: &str) -> String {
    let name = allowed(name);
    let unit = match unit {
        "s" => "seconds",
        "By" => "bytes",
        _ => return name,
    };
    if name.ends_with(unit) {
        name
    } else {
        format!("{name}_{unit}")
    }
}

/// Puts `_` for what a name may not hold.
fn allowed(name: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let mut text: String = name
        .chars()
        .map(|letter| if fits(letter) { letter } else { '_' })
        .collect();
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        text.insert(0, '_');
    }
    text
}

/// A value that a sample can have.
trait Number: Copy {
    fn text(self) -> String;
}

impl Number for u64 {
    fn text(self) -> String {
        self.to_string()
    }
}

impl Number for i64 {
    fn text(self) -> String {
        self.to_string()
    }
}

impl Number for f64 {
    fn text(self) -> String {
        if self.is_nan() {
            "NaN".to_owned()
        } else if self.is_infinite() {
            let sign = if self.is_sign_positive() { '+' } else { '-' };
            format!("{sign}Inf")
        } else {
            self.to_string()
        }
    }
}

/// The samples of an instrument; exponential histograms, which no part uses, have no text form.
fn points<T: Number>(data: &MetricData<T>) -> Option<(Kind, Vec<Sample>)> {
    Some(match data {
        MetricData::Gauge(gauge) => (Kind::Gauge, gauge_samples(gauge)),
        MetricData::Sum(sum) if sum.is_monotonic() => (Kind::Counter, sum_samples(sum, "_total")),
        MetricData::Sum(sum) => (Kind::Gauge, sum_samples(sum, "")),
        MetricData::Histogram(histogram) => (Kind::Histogram, histogram_samples(histogram)),
        MetricData::ExponentialHistogram(_) => return None,
    })
}

fn gauge_samples<T: Number>(gauge: &Gauge<T>) -> Vec<Sample> {
    let points = gauge.data_points();
    let mut samples: Vec<_> = points
        .map(|point| sample("", labels(point.attributes()), point.value()))
        .collect();
    sort(&mut samples);
    samples
}

fn sum_samples<T: Number>(sum: &Sum<T>, suffix: &'static str) -> Vec<Sample> {
    let points = sum.data_points();
    let mut samples: Vec<_> = points
        .map(|point| sample(suffix, labels(point.attributes()), point.value()))
        .collect();
    sort(&mut samples);
    samples
}

/// Buckets in Prometheus count everything up to their bound.
fn histogram_samples<T: Number>(histogram: &Histogram<T>) -> Vec<Sample> {
    let mut points: Vec<_> = histogram
        .data_points()
        .map(|point| (labels(point.attributes()), point))
        .collect();
    points.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut samples = Vec::new();
    for (labels, point) in points {
        let bounds = point.bounds().chain([f64::INFINITY]);
        let mut up_to = 0;
        for (bound, count) in bounds.zip(point.bucket_counts()) {
            up_to += count;
            let mut labels = labels.clone();
            labels.push(("le".to_owned(), bound.text()));
            samples.push(sample("_bucket", labels, up_to));
        }
        samples.push(sample("_sum", labels.clone(), point.sum()));
        samples.push(sample("_count", labels, point.count()));
    }
    samples
}

fn sample<T: Number>(suffix: &'static str, labels: Labels, value: T) -> Sample {
    Sample {
        suffix,
        labels,
        value: value.text(),
    }
}

fn labels<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> Labels {
    let mut labels: Labels = attributes
        .map(|attribute| (allowed(attribute.key.as_str()), attribute.value.to_string()))
        .collect();
    labels.sort();
    labels
}

fn sort(samples: &mut [Sample]) {
    samples.sort_by(|one, other| one.labels.cmp(&other.labels));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_carry_their_unit_once() {
        assert_eq!(
            name("http.server.request.duration", "s"),
            "http_server_request_duration_seconds"
        );
        assert_eq!(name("wait.seconds", "s"), "wait_seconds");
        assert_eq!(
            name("portproof.interpreter.runs", "{run}"),
            "portproof_interpreter_runs"
        );
    }

    /// Undoes [`escape`].
    fn read(text: &str) -> String {
        let mut letters = text.chars();
        let mut read = String::new();
        while let Some(letter) = letters.next() {
            match (letter, letter == '\\') {
                (_, true) => match letters.next().unwrap() {
                    'n' => read.push('\n'),
                    escaped => read.push(escaped),
                },
                (letter, false) => read.push(letter),
            }
        }
        read
    }

    proptest! {
        #[test]
        fn whatever_a_label_holds_it_stays_on_its_line_and_can_be_read_back(value in any::<String>()) {
            let mut text = String::new();
            write_labels(&vec![("a".to_owned(), value.clone())], &mut text);
            prop_assert!(!text.contains('\n'));
            let written = text.strip_prefix("{a=\"").and_then(|rest| rest.strip_suffix("\"}")).unwrap();
            prop_assert_eq!(read(written), value);
        }

        #[test]
        fn every_name_is_one_that_prometheus_allows(text in "\\PC{1,40}") {
            let name = allowed(&text);
            let mut letters = name.chars();
            let first = letters.next().unwrap();
            prop_assert!(first.is_ascii_alphabetic() || first == '_' || first == ':');
            prop_assert!(letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':'));
        }
    }
}
