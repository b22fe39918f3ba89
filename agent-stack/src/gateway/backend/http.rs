//! Calls an HTTP service: the arguments of the call filled into the path.

use super::{Answer, BackendError, Peer, Target};
use crate::http_client::{HttpError, read_body};
use crate::telemetry::ActiveSpan;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use portproof_proto::tool::HttpBackend;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// How much of an error answer is told, in characters.
const TOLD: usize = 200;
/// How long a connection that nobody takes is tried again.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn call(
    peer: &Peer<'_>,
    backend: &HttpBackend,
    arguments: &Value,
) -> Result<Answer, BackendError> {
    let HttpBackend {
        service_name,
        port,
        path,
    } = backend;
    let url = format!("http://{service_name}:{port}{}", fill(path, arguments)?);
    let target = Target {
        method: "GET",
        service: service_name,
        port: *port,
        route: path,
    };
    let value = peer.send(&target, peer.client.get(url)).await?;
    Ok(Answer {
        value,
        failure: None,
    })
}

/// Sends a request and reads its answer; an error status is an error.
pub(super) async fn read(
    request: RequestBuilder,
    span: &ActiveSpan,
) -> Result<Value, BackendError> {
    let answer = send(request, span).await.map_err(|source| {
        let url = source.url().map(ToString::to_string).unwrap_or_default();
        BackendError::Http(HttpError::Transport {
            url,
            source: source.without_url(),
        })
    })?;
    let status = answer.status();
    span.set("http.response.status_code", i64::from(status.as_u16()));
    let body = read_body(answer).await.map_err(BackendError::Http)?;
    if !status.is_success() {
        let body = String::from_utf8_lossy(&body).chars().take(TOLD).collect();
        return Err(BackendError::Status { status, body });
    }
    serde_json::from_slice(&body).map_err(BackendError::Json)
}

/// Sends a request as soon as somebody takes the connection. While the pod of a service is replaced, a node may send to the
/// old one for a moment longer than it listens. Nothing was sent by then, so no call is made twice.
async fn send(request: RequestBuilder, span: &ActiveSpan) -> Result<Response, reqwest::Error> {
    let until = Instant::now() + PATIENCE;
    let mut refused = 0_i64;
    while let Some(attempt) = request.try_clone() {
        match attempt.send().await {
            Err(error) if error.is_connect() && Instant::now() < until => {
                refused += 1;
                span.set("http.request.resend_count", refused);
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
    request.send().await
}

/// Fills arguments into `{name}` of a path template, escaped so that an argument stays within its segment.
fn fill(template: &str, arguments: &Value) -> Result<String, BackendError> {
    let mut path = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else {
            break;
        };
        path.push_str(before);
        path.extend(utf8_percent_encode(&scalar(arguments, name)?, RESERVED));
        rest = tail;
    }
    path.push_str(rest);
    Ok(path)
}

fn scalar(arguments: &Value, name: &str) -> Result<String, BackendError> {
    let text = match arguments.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(Value::Bool(flag)) => Some(flag.to_string()),
        _ => None,
    };
    // A URL parser takes these two as steps to another segment, escaped or not.
    let text = text.filter(|text| !matches!(text.as_str(), "" | "." | ".."));
    text.ok_or_else(|| BackendError::Argument {
        argument: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{SpanKind, Telemetry};
    use opentelemetry::Context;
    use proptest::prelude::*;
    use serde_json::json;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::net::TcpListener;

    #[test]
    fn arguments_are_filled_into_the_path() {
        let arguments = json!({"sku": "SKU-1", "page": 2});
        assert_eq!(
            fill("/v1/items/{sku}/{page}", &arguments).unwrap(),
            "/v1/items/SKU-1/2"
        );
    }

    #[test]
    fn an_argument_that_is_missing_or_would_leave_its_segment_is_refused() {
        for arguments in [
            json!({}),
            json!({"sku": ".."}),
            json!({"sku": ""}),
            json!({"sku": ["a"]}),
        ] {
            assert!(matches!(
                fill("/v1/{sku}", &arguments),
                Err(BackendError::Argument { .. })
            ));
        }
    }

    async fn asked(port: u16) -> Result<Value, BackendError> {
        let telemetry = Telemetry::disabled("tool-gateway");
        let span = telemetry.span("GET /", SpanKind::Client, &Context::new());
        let client = crate::http_client::client(Duration::from_secs(10)).unwrap();
        read(client.get(format!("http://127.0.0.1:{port}/")), &span).await
    }

    #[tokio::test]
    async fn a_service_that_listens_a_moment_later_is_asked_once_it_does() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let asked_for = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&asked_for);
        let service = async {
            tokio::time::sleep(PAUSE * 3).await;
            let listener = TcpListener::bind(address).await.unwrap();
            let count = move || async move {
                counted.fetch_add(1, Ordering::SeqCst);
                axum::Json(json!(1))
            };
            let router = axum::Router::new().route("/", axum::routing::get(count));
            axum::serve(listener, router).await.unwrap();
        };
        let answer = tokio::select! {
            answer = asked(address.port()) => answer.unwrap(),
            () = service => unreachable!("a server does not end"),
        };
        assert_eq!((answer, asked_for.load(Ordering::SeqCst)), (json!(1), 1));
    }

    #[tokio::test]
    async fn a_request_that_was_taken_is_not_sent_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken = tokio::spawn(async move {
            let mut taken = 0;
            while let Ok(Ok((stream, _))) = tokio::time::timeout(PAUSE * 5, listener.accept()).await
            {
                taken += 1;
                drop(stream);
            }
            taken
        });
        let error = asked(address.port()).await.unwrap_err();
        assert!(matches!(error, BackendError::Http(_)), "{error}");
        assert_eq!(taken.await.unwrap(), 1);
    }

    proptest! {
        #[test]
        fn an_argument_never_leaves_its_segment(text in "\\PC{1,20}") {
            prop_assume!(text != "." && text != "..");
            let path = fill("/v1/items/{sku}", &json!({"sku": text})).unwrap();
            let url = reqwest::Url::parse(&format!("http://catalog:8080{path}")).unwrap();
            prop_assert_eq!(url.host_str(), Some("catalog"));
            let segments: Vec<_> = url.path_segments().unwrap().collect();
            prop_assert_eq!(segments.len(), 3);
            prop_assert_eq!((url.query(), url.fragment()), (None, None));
        }
    }
}
