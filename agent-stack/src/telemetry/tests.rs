use super::*;
use opentelemetry::Key;
use std::time::Duration;

#[test]
fn the_resource_names_the_pod_and_leaves_out_what_is_unknown() {
    let found = resource("agent", |name| match name {
        "POD_NAME" => Some("agent-0".into()),
        "NODE_NAME" => Some(String::new()),
        _ => None,
    });
    assert_eq!(
        found.get(&Key::new(names::POD_NAME)).unwrap().as_str(),
        "agent-0"
    );
    assert_eq!(
        found.get(&Key::new(names::SERVICE_NAME)).unwrap().as_str(),
        "agent"
    );
    assert!(found.get(&Key::new(names::NODE_NAME)).is_none());
    assert!(found.get(&Key::new(names::POD_UID)).is_none());
}

#[test]
fn context_travels_even_when_nothing_is_exported() {
    let telemetry = Telemetry::disabled("agent");
    let parent = parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let span = telemetry.span("x", SpanKind::Internal, &parent);
    let carried = traceparent(span.context()).unwrap();
    assert!(
        carried.starts_with("00-0af7651916cd43dd8448eb211c80319c-"),
        "{carried}"
    );
    assert!(!carried.contains("b7ad6b7169203331"), "{carried}");
}

mod exchanges {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use axum::routing::get;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    async fn ask(metrics: &Metrics, request: Request<Body>) {
        let router = Router::new()
            .route("/v1/items/{sku}", get(async || "one"))
            .route("/broken", get(async || http::StatusCode::BAD_GATEWAY))
            .route("/slow", get(std::future::pending::<()>));
        let answering = observe(router, metrics).oneshot(request);
        if let Ok(answer) = tokio::time::timeout(Duration::from_millis(200), answering).await {
            answer.unwrap().into_body().collect().await.unwrap();
        }
    }

    async fn counted(paths: &[&str]) -> Vec<String> {
        let metrics = Metrics::disabled();
        for path in paths {
            ask(&metrics, Request::get(*path).body(Body::empty()).unwrap()).await;
        }
        let text = metrics.text().unwrap();
        let counts = text
            .lines()
            .filter(|line| line.starts_with("http_server_request_duration_seconds_count"));
        counts
            .map(|line| line.replace("http_server_request_duration_seconds_count", ""))
            .collect()
    }

    #[tokio::test]
    async fn requests_are_counted_by_the_template_of_their_route_and_not_by_what_clients_write() {
        let found = counted(&[
            "/v1/items/1",
            "/v1/items/2",
            "/nowhere/1",
            "/nowhere/2",
            "/broken",
        ])
        .await;
        insta::assert_snapshot!(found.join("\n"));
    }

    #[tokio::test]
    async fn a_request_that_was_given_up_is_counted_as_cancelled_and_is_active_no_more() {
        let metrics = Metrics::disabled();
        ask(&metrics, Request::get("/slow").body(Body::empty()).unwrap()).await;
        let text = metrics.text().unwrap();
        assert!(text.contains("error_type=\"cancelled\""), "{text}");
        assert!(
            text.contains(
                "http_server_active_requests{http_request_method=\"GET\",url_scheme=\"http\"} 0\n"
            ),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_client_cannot_invent_series() {
        let metrics = Metrics::disabled();
        for method in ["BREW", "WHEN"] {
            let request = Request::builder()
                .method(method)
                .uri("/x")
                .body(Body::empty())
                .unwrap();
            ask(&metrics, request).await;
        }
        let text = metrics.text().unwrap();
        assert!(!text.contains("BREW"), "{text}");
        assert!(text.contains("http_request_method=\"_OTHER\",http_response_status_code=\"404\",url_scheme=\"http\"} 2\n"), "{text}");
    }
}
