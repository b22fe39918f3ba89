//! The log: one JSON object a line, with the same members in every part.
//!
//! `timestamp`, `level`, `part`, `cluster_uid` where it is known, `trace_id` where the event belongs to a request that
//! carries one, `target`, `message`, and what the event itself says.

use serde_json::{Map, Value};
use std::error::Error;
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Logs to standard error as `part`, from `info` on unless `RUST_LOG` says otherwise.
pub fn log_to_stderr(part: &'static str, usual: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let lines = JsonLines {
        part,
        cluster_uid: super::variable("CLUSTER_UID"),
    };
    tracing_subscriber::fmt()
        // They would be reported with `eprintln!`, which panics when nobody reads standard error any more: a lost line
        // must not end the task that logged it.
        .log_internal_errors(false)
        .fmt_fields(JsonFields::new())
        .event_format(lines)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

/// The chain of causes of an error as one line, `what: why: why`.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Writes events as lines of JSON.
#[derive(Clone, Debug)]
struct JsonLines {
    part: &'static str,
    cluster_uid: Option<String>,
}

impl JsonLines {
    fn members(&self, event: &Event<'_>) -> Map<String, Value> {
        let mut members = Members(Map::new());
        let mut time = String::new();
        // A clock that cannot be formatted leaves the time empty, and the rest of the line is still worth having.
        let _ = SystemTime.format_time(&mut Writer::new(&mut time));
        let metadata = event.metadata();
        members.put("timestamp", time);
        members.put("level", metadata.level().as_str());
        members.put("part", self.part);
        if let Some(uid) = &self.cluster_uid {
            members.put("cluster_uid", uid.as_str());
        }
        members.put("target", metadata.target());
        event.record(&mut members);
        members.0
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut members = self.members(event);
        for span in context.event_scope().into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                let fields: Map<String, Value> = serde_json::from_str(fields).unwrap_or_default();
                for (name, value) in fields {
                    members.entry(name).or_insert(value);
                }
            }
        }
        writeln!(writer, "{}", Value::Object(members))
    }
}

/// The members of one line.
struct Members(Map<String, Value>);

impl Members {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for Members {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field.name(), chain(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(work: impl FnOnce()) -> Vec<Value> {
        let paper = Paper::default();
        let written = paper.clone();
        let lines = JsonLines {
            part: "model",
            cluster_uid: Some("uid-c".into()),
        };
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(JsonFields::new())
            .event_format(lines)
            .with_writer(move || paper.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, work);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the door is shut")]
    struct Shut(#[source] std::io::Error);

    #[test]
    fn every_line_says_which_part_of_which_cluster_speaks_and_of_which_trace() {
        let lines = logged(|| {
            tracing::info_span!("request", trace_id = "0af7")
                .in_scope(|| tracing::info!(port = 80, "listening"));
            tracing::warn!("alone");
        });
        let members = |line: &Value, names: &[&str]| {
            names
                .iter()
                .map(|name| line[*name].clone())
                .collect::<Vec<_>>()
        };
        let names = [
            "level",
            "part",
            "cluster_uid",
            "trace_id",
            "message",
            "port",
        ];
        let told: Vec<Value> = ["INFO", "model", "uid-c", "0af7", "listening"]
            .map(Value::from)
            .into();
        assert_eq!(members(&lines[0], &names[..5]), told);
        assert_eq!(lines[0]["port"], 80);
        assert!(lines[0]["timestamp"].as_str().unwrap().contains('T'));
        assert_eq!(lines[1].get("trace_id"), None);
    }

    #[test]
    fn an_error_is_logged_with_all_its_causes_on_one_line() {
        let error = Shut(std::io::Error::other("no\nkey"));
        let lines = logged(|| {
            tracing::error!(error = &error as &(dyn Error + 'static), "not served");
        });
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["error"], "the door is shut: no\nkey");
    }
}
