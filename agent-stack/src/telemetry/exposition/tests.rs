use super::*;
use crate::telemetry::resource;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use std::time::Duration;
use tower::ServiceExt as _;

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

async fn scraped(metrics: &Metrics) -> Response {
    let router = with_metrics(Router::new(), metrics);
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    router.oneshot(request).await.unwrap()
}

#[test]
fn prometheus_reads_the_text() {
    let text = metrics().text().unwrap();
    // The start of the process is always another.
    let lines = text
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("process_start_time_seconds "));
    insta::assert_snapshot!(lines.collect::<String>());
}

#[tokio::test]
async fn the_page_says_its_format_and_shows_what_was_counted_meanwhile() {
    let metrics = metrics();
    for runs in ["2", "3"] {
        metrics.program_ended("timeout");
        let page = scraped(&metrics).await;
        assert_eq!(page.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
        let text = page.into_body().collect().await.unwrap().to_bytes();
        let line = format!("portproof_interpreter_runs_total{{reason=\"timeout\"}} {runs}");
        let text = str::from_utf8(&text).unwrap();
        assert!(text.lines().any(|found| found == line), "{text}");
    }
}

#[tokio::test]
async fn metrics_that_cannot_be_written_are_an_error_and_not_an_empty_page() {
    struct Unnamed;
    impl prometheus::core::Collector for Unnamed {
        fn desc(&self) -> Vec<&prometheus::core::Desc> {
            Vec::new()
        }
        fn collect(&self) -> Vec<prometheus::proto::MetricFamily> {
            let mut family = prometheus::proto::MetricFamily::default();
            family.set_metric(vec![prometheus::proto::Metric::default()]);
            vec![family]
        }
    }
    let metrics = metrics();
    metrics.registry().unregister(Box::new(Unnamed)).unwrap();
    metrics.registry().register(Box::new(Unnamed)).unwrap();
    let page = scraped(&metrics).await;
    assert_eq!(page.status(), StatusCode::INTERNAL_SERVER_ERROR);
}
