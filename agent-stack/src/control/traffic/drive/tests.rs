use super::run::prepare;
use super::*;
use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::routing::get;
use http::StatusCode;
use portproof_proto::names::BACKEND_HEADER;
use portproof_proto::v1::{DriveTrafficRequest, TrafficFinished, TrafficSample};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

fn request() -> DriveTrafficRequest {
    DriveTrafficRequest {
        requests: 400,
        rate_per_s: 4_000,
        connections: 8,
        timeout_ms: 20_000,
        path: "/v1/models".into(),
        headers: [("x-model-version".to_owned(), "stable".to_owned())].into(),
    }
}

async fn driven(
    address: SocketAddr,
    request: DriveTrafficRequest,
) -> (Vec<TrafficSample>, TrafficFinished) {
    let plan = Plan::check(request).unwrap();
    let target = plan
        .target(address.ip().to_string(), address.port(), "models.internal")
        .unwrap();
    let (events, mut received) = Events::channel();
    let finished = prepare(&plan, target)
        .await
        .carry_out(&events)
        .await
        .unwrap();
    drop(events);
    let mut samples = Vec::new();
    while let Some(event) = received.recv().await {
        match event.unwrap().event.unwrap() {
            Event::Samples(batch) => samples.extend(batch.samples),
            other => panic!("{other:?}"),
        }
    }
    samples.sort_by_key(|sample| sample.index);
    (samples, finished)
}

fn failures(samples: &[TrafficSample]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for sample in samples {
        *counts.entry(sample.failure().as_str_name()).or_default() += 1;
    }
    counts
}

/// A gateway that sends every tenth request to the canary, and answers 503 to every twentieth.
async fn gateway() -> (SocketAddr, Arc<AtomicU32>) {
    async fn answer(
        State(count): State<Arc<AtomicU32>>,
        headers: http::HeaderMap,
    ) -> axum::response::Response {
        assert_eq!(
            (&headers["host"], &headers["x-model-version"]),
            (
                &"models.internal".parse().unwrap(),
                &"stable".parse().unwrap()
            )
        );
        let number = count.fetch_add(1, Ordering::SeqCst);
        let backend = if number % 10 == 0 {
            "model-canary"
        } else {
            "model-stable"
        };
        let status = if number % 20 == 5 {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::OK
        };
        (status, [(BACKEND_HEADER, backend)], "{}").into_response()
    }
    let count = Arc::new(AtomicU32::new(0));
    let router = Router::new()
        .route("/v1/models", get(answer))
        .with_state(Arc::clone(&count));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_is_attributed_and_accounted_for() {
    let (address, served) = gateway().await;
    let (samples, finished) = driven(address, request()).await;
    assert_eq!(samples.len(), 400);
    assert!(
        samples
            .iter()
            .enumerate()
            .all(|(index, sample)| sample.index as usize == index)
    );
    let canary = samples
        .iter()
        .filter(|sample| sample.backend == "model-canary")
        .count();
    assert_eq!(
        (canary, served.load(Ordering::SeqCst)),
        (40, 400),
        "nothing is sent twice"
    );
    assert_eq!(failures(&samples)["TRAFFIC_FAILURE_STATUS"], 20);
    assert_eq!(
        (
            finished.scheduled,
            finished.completed,
            finished.failed,
            finished.dropped
        ),
        (400, 380, 20, 0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schedule_is_fixed_and_connections_are_kept() {
    let (address, _) = gateway().await;
    let (samples, _) = driven(address, request()).await;
    let first = samples[0].due_ns;
    assert!(
        samples
            .iter()
            .all(|sample| sample.due_ns == first + u64::from(sample.index) * 250_000)
    );
    assert!(
        samples
            .iter()
            .all(|sample| sample.due_ns <= sample.sent_ns && sample.sent_ns <= sample.done_ns)
    );
    let connections: BTreeSet<_> = samples.iter().map(|sample| sample.connection).collect();
    assert_eq!(connections.len(), 8);
}

#[tokio::test]
async fn a_closed_port_is_a_failure_to_connect() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (samples, finished) = driven(
        address,
        DriveTrafficRequest {
            requests: 20,
            ..request()
        },
    )
    .await;
    assert_eq!(failures(&samples), [("TRAFFIC_FAILURE_CONNECT", 20)].into());
    assert_eq!(finished.failed, 20);
}

/// A server that reads a request and then does this with the connection.
async fn server(answer: &'static [u8], keep_open: bool) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 2_048];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer).await;
                if keep_open {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    address
}

fn few() -> DriveTrafficRequest {
    DriveTrafficRequest {
        requests: 12,
        connections: 4,
        timeout_ms: 20_000,
        ..request()
    }
}

#[tokio::test]
async fn a_connection_that_goes_away_before_or_in_the_answer_is_a_reset() {
    for answer in [
        b"".as_slice(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
    ] {
        let (samples, _) = driven(server(answer, false).await, few()).await;
        assert_eq!(failures(&samples), [("TRAFFIC_FAILURE_RESET", 12)].into());
    }
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_a_protocol_failure() {
    let (samples, _) = driven(server(b"SSH-2.0-x\r\n\r\n", true).await, few()).await;
    assert_eq!(
        failures(&samples),
        [("TRAFFIC_FAILURE_PROTOCOL", 12)].into()
    );
}

#[tokio::test]
async fn silence_is_a_timeout_and_what_waits_behind_it_too_long_is_dropped() {
    let plan = DriveTrafficRequest {
        requests: 40,
        connections: 2,
        rate_per_s: 20_000,
        timeout_ms: 100,
        ..request()
    };
    let (samples, finished) = driven(server(b"", true).await, plan).await;
    let failures = failures(&samples);
    assert!(failures["TRAFFIC_FAILURE_TIMEOUT"] >= 2, "{failures:?}");
    assert!(failures["TRAFFIC_FAILURE_DROPPED"] > 0, "{failures:?}");
    assert_eq!(finished.failed + finished.dropped, 40, "none is lost");
}

#[tokio::test]
async fn a_server_that_closes_after_each_answer_costs_a_connection_but_no_request() {
    let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    let (samples, finished) = driven(server(answer, false).await, few()).await;
    assert_eq!(
        (finished.completed, finished.failed),
        (12, 0),
        "{:?}",
        failures(&samples)
    );
}

#[test]
fn plans_out_of_bounds_are_refused() {
    let check = |change: fn(&mut DriveTrafficRequest)| {
        let mut request = request();
        change(&mut request);
        Plan::check(request).unwrap_err()
    };
    assert_eq!(
        check(|plan| plan.rate_per_s = 0),
        PlanError::Range {
            member: "rate_per_s",
            value: 0,
            most: 20_000
        }
    );
    assert_eq!(
        check(|plan| plan.path = "http://elsewhere/".into()),
        PlanError::Path {
            path: "http://elsewhere/".into()
        }
    );
    let split = check(|plan| plan.headers = [("a\r\nb".to_owned(), String::new())].into());
    assert_eq!(
        split,
        PlanError::Header {
            name: "a\r\nb".into()
        }
    );
}
