use super::*;
use crate::telemetry::resource;
use std::time::Duration;

fn metrics() -> Metrics {
    let metrics = Metrics::unpushed(resource("tool-gateway", |name| {
        (name == "POD_NAME").then(|| "pod-0".to_owned())
    }));
    metrics.tool_called("look_up", None, Duration::from_millis(30));
    metrics.tool_called("look_up", None, Duration::from_mins(1));
    metrics.tool_called("look_up", Some("timeout"), Duration::from_secs(2));
    metrics.program_ended("timeout");
    metrics
}

/// The text without the start of the process, which is always another.
fn lines(format: Format, own: &str) -> String {
    let text = join(own, &families(&metrics().collect()), format);
    let lines = text
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("process_start_time_seconds "));
    lines.collect()
}

async fn body(response: Response) -> (String, String) {
    let media_type = response.headers()[header::CONTENT_TYPE]
        .to_str()
        .unwrap()
        .to_owned();
    (media_type, own_text(response.into_body()).await.unwrap())
}

#[test]
fn prometheus_reads_the_text() {
    insta::assert_snapshot!(lines(Format::Prometheus, ""));
}

#[test]
fn openmetrics_ends_with_its_last_line_and_names_counters_without_total() {
    let text = lines(Format::OpenMetrics, "");
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    assert!(
        text.contains(
            "# TYPE portproof_interpreter_runs counter\nportproof_interpreter_runs_total{"
        ),
        "{text}"
    );
    assert!(text.contains("# TYPE target info\ntarget_info{"), "{text}");
}

#[test]
fn what_a_part_writes_itself_comes_first_and_no_family_twice() {
    let own = "# TYPE target info\ntarget_info{own=\"1\"} 1\n# EOF\n";
    let text = lines(Format::OpenMetrics, own);
    assert!(
        text.starts_with("# TYPE target info\ntarget_info{own=\"1\"} 1\n# HELP"),
        "{text}"
    );
    assert_eq!(text.matches("# EOF").count(), 1);
    assert_eq!(text.matches("target_info{").count(), 1);
}

#[tokio::test]
async fn the_format_is_the_one_that_was_asked_for_or_that_the_part_chose() {
    let metrics = metrics();
    let openmetrics = HeaderValue::from_static(Format::OpenMetrics.media_type());
    let absent = || StatusCode::NOT_FOUND.into_response();
    let (plain, _) = body(answer(&metrics, None, absent()).await).await;
    assert_eq!(plain, Format::Prometheus.media_type());
    let (asked, _) = body(answer(&metrics, Some(&openmetrics), absent()).await).await;
    assert_eq!(asked, Format::OpenMetrics.media_type());
    let own = ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], "x 1").into_response();
    let (chosen, text) = body(answer(&metrics, Some(&openmetrics), own).await).await;
    assert_eq!(chosen, Format::Prometheus.media_type());
    assert!(text.starts_with("x 1\n# HELP"), "{text}");
}

#[tokio::test]
async fn a_part_that_fails_to_write_its_metrics_is_not_covered_up() {
    let failed = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    let answered = answer(&metrics(), None, failed).await;
    assert_eq!(answered.status(), StatusCode::INTERNAL_SERVER_ERROR);
}
