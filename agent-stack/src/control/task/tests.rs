use super::*;
use axum::Router;
use axum::body::Body;
use axum::routing::post;
use portproof_proto::v1;
use proptest::prelude::*;
use std::net::Ipv4Addr;

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async fn agent(report: &'static [&'static str]) -> Peers {
    let answer = move |headers: http::HeaderMap| async move {
        assert_eq!(headers["traceparent"], TRACEPARENT);
        Body::from_stream(futures::stream::iter(
            report.iter().map(|part| Ok::<_, std::io::Error>(*part)),
        ))
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(
        async move { axum::serve(listener, Router::new().route(PATH, post(answer))).await },
    );
    Peers::new().unwrap().with(Part::Agent, address)
}

async fn reported(peers: &Peers, traceparent: &str) -> (Vec<Event>, Result<(), TaskError>) {
    let request = RunTaskRequest {
        task_id: "t".into(),
        prompt: "p".into(),
        traceparent: traceparent.into(),
        deadline_s: 5,
    };
    let (events, mut received) = Events::channel();
    let outcome = run(peers, &request, &events).await;
    drop(events);
    let mut reported = Vec::new();
    while let Some(event) = received.recv().await {
        reported.push(event.unwrap().event.unwrap());
    }
    (reported, outcome)
}

#[tokio::test]
async fn events_are_passed_on_with_canonical_arguments_and_results() {
    let peers = agent(&[
        r#"{"type":"tools","names":["t"],"protocolVersion":"2026-07-28"}"#,
        "\n{\"type\":\"plan\",\"steps\":[{\"callId\":\"1\",\"tool\":\"t\"}]}\n{\"type\":\"call\",\"callId\":\"1\",",
        "\"tool\":\"t\",\"arguments\":{\"b\":1,\"a\":2}}\n",
        "{\"type\":\"result\",\"callId\":\"1\",\"tool\":\"t\",\"outcome\":\"ok\",\"attempts\":2,\"result\":{\"y\":1.0,\"x\":[]}}\n",
        "{\"type\":\"answer\",\"text\":\"done\",\"promptTokens\":1,\"completionTokens\":2,\"modelBackend\":\"model-stable\",\"evidence\":[{\"callId\":\"1\",\"tool\":\"t\",\"argumentsSha256\":\"sha256:aa\",\"attempts\":2,\"outcome\":\"ok\"}],\"unsupportedNumbers\":[],\"retries\":1}\n",
    ])
    .await;
    let (events, outcome) = reported(&peers, TRACEPARENT).await;
    outcome.unwrap();
    assert_eq!(events.len(), 5);
    assert!(matches!(&events[2], Event::Call(call) if call.arguments_json == r#"{"a":2,"b":1}"#));
    assert!(
        matches!(&events[3], Event::Result(result) if result.result_json == r#"{"x":[],"y":1}"#)
    );
    assert!(
        matches!(&events[4], Event::Answer(answer) if answer.model_backend == "model-stable"
        && answer.retries == 1 && answer.evidence[0].outcome() == v1::CallOutcome::Ok)
    );
}

#[tokio::test]
async fn a_report_that_breaks_off_is_no_finished_task() {
    let peers = agent(&["{\"type\":\"plan\",\"steps\":[]}\n"]).await;
    let (events, outcome) = reported(&peers, TRACEPARENT).await;
    assert_eq!(events.len(), 1);
    assert!(matches!(outcome, Err(TaskError::Unfinished)));
}

#[tokio::test]
async fn a_task_without_a_trace_context_is_not_started() {
    let peers = Peers::new().unwrap();
    for wrong in [
        "",
        "00-0-0-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    ] {
        let (_, outcome) = reported(&peers, wrong).await;
        assert!(
            matches!(outcome, Err(TaskError::Traceparent { .. })),
            "{wrong}"
        );
    }
}

#[test]
fn an_endless_line_is_refused() {
    let mut lines = Lines::default();
    assert!(matches!(
        lines.push(&vec![b'x'; MAX_LINE_BYTES + 1]),
        Err(TaskError::TooLong)
    ));
}

proptest! {
    #[test]
    fn lines_do_not_depend_on_how_they_were_cut(lines in prop::collection::vec("[a-z]{1,8}", 0..8), size in 1usize..6) {
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let mut cut = Lines::default();
        let mut found = Vec::new();
        for chunk in text.as_bytes().chunks(size) {
            found.extend(cut.push(chunk).unwrap());
        }
        prop_assert_eq!(found, lines.iter().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>());
    }
}
