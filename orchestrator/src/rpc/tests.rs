use super::channel::connect;
use super::fake_agent::{FakeAgent, Script, connected};
use super::pki::RunAuthority;
use super::*;
use portproof_proto::bundle::{Bundle, BundleError};
use portproof_proto::{CHUNK_BYTES, v1};
use rustls::version::{TLS12, TLS13};
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tonic::Code;

fn authority() -> RunAuthority {
    RunAuthority::new("r1").unwrap()
}

/// Connects and makes a first call: with TLS 1.3 a client learns only then that its certificate is refused.
async fn first_call(
    agent: &FakeAgent,
    role: &str,
    credentials: &Credentials,
) -> Result<AgentDescription, RpcError> {
    let client = connect("r1", role, credentials, agent.dial()).await?;
    client.describe().await
}

#[tokio::test]
async fn both_sides_of_one_run_speak_and_every_call_names_the_run() {
    let script = Script::default();
    let client = connected(script.clone()).await.unwrap();
    let described = client.describe().await.unwrap();
    assert_eq!(
        (described.run_id.as_str(), described.role.as_str()),
        ("r1", "a")
    );
    assert_eq!(described.pods[0].part, "agent");
    assert_eq!(described.pods[0].restarts, 1);
    assert_eq!(script.heard.lock().unwrap().runs, ["r1"]);
}

#[tokio::test]
async fn an_agent_of_another_authority_is_refused() {
    let agent = FakeAgent::secure(Script::default(), &authority().server("a").unwrap());
    let error = first_call(&agent, "a", &authority().client().unwrap()).await;
    assert!(matches!(error, Err(RpcError::Connect(_))), "{error:?}");
}

#[tokio::test]
async fn the_agent_of_another_cluster_of_the_same_run_is_refused() {
    let authority = authority();
    let agent = FakeAgent::secure(Script::default(), &authority.server("b").unwrap());
    let error = first_call(&agent, "a", &authority.client().unwrap()).await;
    assert!(matches!(error, Err(RpcError::Connect(_))), "{error:?}");
}

#[tokio::test]
async fn an_agent_that_shows_a_client_certificate_is_refused() {
    let authority = authority();
    let agent = FakeAgent::secure(Script::default(), &authority.client().unwrap());
    let error = first_call(&agent, "a", &authority.client().unwrap()).await;
    assert!(matches!(error, Err(RpcError::Connect(_))), "{error:?}");
}

#[tokio::test]
async fn an_agent_without_tls_is_refused() {
    let agent = FakeAgent::plain(Script::default());
    let error = first_call(&agent, "a", &authority().client().unwrap()).await;
    assert!(matches!(error, Err(RpcError::Connect(_))), "{error:?}");
}

#[tokio::test]
async fn an_agent_that_only_speaks_tls_1_2_is_refused() {
    let authority = authority();
    let credentials = authority.server("a").unwrap();
    for (version, admitted) in [(&TLS12, false), (&TLS13, true)] {
        let agent = FakeAgent::speaking(&[version], Script::default(), &credentials);
        let answer = first_call(&agent, "a", &authority.client().unwrap()).await;
        assert_eq!(answer.is_ok(), admitted, "{answer:?}");
        if let Err(error) = answer {
            assert!(chain(&error).contains("ProtocolVersion"), "{error:?}");
        }
    }
}

/// An error and its causes as one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[tokio::test]
async fn credentials_that_are_none_are_refused_before_anything_is_dialled() {
    let agent = FakeAgent::plain(Script::default());
    let broken = Credentials {
        key: "no key".into(),
        ..authority().client().unwrap()
    };
    let error = first_call(&agent, "a", &broken).await;
    assert!(matches!(error, Err(RpcError::Credentials(_))), "{error:?}");
    assert_eq!(agent.dialled.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_caller_of_another_authority_is_refused_by_the_agent() {
    let server = authority().server("a").unwrap();
    let agent = FakeAgent::secure(Script::default(), &server);
    let stranger = Credentials {
        authority: server.authority.clone(),
        ..authority().client().unwrap()
    };
    let error = first_call(&agent, "a", &stranger).await.unwrap_err();
    assert!(error.is_infrastructure(), "{error:?}");
    assert!(!matches!(error, RpcError::Status { .. }), "{error:?}");
}

#[tokio::test]
async fn a_stream_that_cannot_be_opened_is_no_answer_of_the_agent() {
    let refuse: Dial = std::sync::Arc::new(|| {
        Box::pin(async { Err(std::io::Error::other("the port-forward was refused")) })
    });
    let error = connect("r1", "a", &authority().client().unwrap(), refuse).await;
    let error = error.err().unwrap();
    assert!(matches!(error, RpcError::Connect(_)) && error.is_infrastructure());
}

#[tokio::test]
async fn what_the_agent_refuses_is_an_answer_and_not_trouble_on_the_way() {
    let client = connected(Script::default()).await.unwrap();
    let error = client.provision(&stack(), |_| {}).await.unwrap_err();
    assert!(!error.is_infrastructure());
    let RpcError::Status { code, message, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (code, message.as_str()),
        (Code::FailedPrecondition, "no GatewayClass `x`")
    );
}

fn stack() -> StackPlan {
    StackPlan {
        image: "i".into(),
        image_pull_policy: "Never".into(),
        gateway_class: "x".into(),
        gateway_port: 80,
        hostname: "h".into(),
        runtime_class: "gvisor".into(),
        upstream: None,
        split: (90, 10),
        faults: Vec::new(),
        deadline: Duration::from_secs(1),
    }
}

fn big_bundle() -> Bundle {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n"},
        "data": {"k": "x".repeat(3 * CHUNK_BYTES)}});
    Bundle::new(&[], &[object], vec![])
}

#[tokio::test]
async fn a_bundle_goes_out_in_chunks_behind_its_options() {
    use v1::import_request::Part;
    let script = Script::default();
    let client = connected(script.clone()).await.unwrap();
    client.import(&big_bundle(), true).await.unwrap();
    let mut parts = std::mem::take(&mut script.heard.lock().unwrap().imports).into_iter();
    let options = parts.next().unwrap().part;
    assert_eq!(
        options,
        Some(Part::Options(v1::ImportOptions { dry_run: true }))
    );
    let chunks = parts.map(|part| match part.part {
        Some(Part::Chunk(chunk)) => chunk.data,
        other => panic!("{other:?}"),
    });
    let chunks: Vec<_> = chunks.collect();
    assert!(chunks.len() > 3 && chunks.iter().all(|chunk| chunk.len() <= CHUNK_BYTES));
    assert_eq!(chunks.concat(), big_bundle().encode().unwrap());
}

#[tokio::test]
async fn a_bundle_comes_in_as_it_was_sent() {
    let bytes = big_bundle().encode().unwrap();
    let script = Script {
        export: bytes.chunks(CHUNK_BYTES).map(<[u8]>::to_vec).collect(),
        ..Script::default()
    };
    let client = connected(script).await.unwrap();
    assert_eq!(client.export("").await.unwrap(), big_bundle());
}

#[tokio::test]
async fn half_a_bundle_is_no_bundle() {
    let bytes = big_bundle().encode().unwrap();
    let script = Script {
        export: vec![bytes[..CHUNK_BYTES].to_vec()],
        ..Script::default()
    };
    let client = connected(script).await.unwrap();
    let error = client.export("").await.unwrap_err();
    assert!(
        matches!(error, RpcError::Bundle(BundleError::Archive(_))),
        "{error:?}"
    );
}

fn order() -> TaskOrder {
    TaskOrder {
        id: "t".into(),
        prompt: "p".into(),
        trace_id: "1".repeat(32),
        root_span_id: "2".repeat(16),
        deadline: Duration::from_secs(5),
    }
}

fn called() -> v1::task_event::Event {
    v1::task_event::Event::Call(v1::ToolCall {
        call_id: "c".into(),
        tool: "run_python".into(),
        arguments_json: "{}".into(),
    })
}

#[tokio::test]
async fn a_task_that_breaks_off_is_no_transcript() {
    let script = Script {
        task: vec![called()],
        ..Script::default()
    };
    let error = connected(script).await.unwrap().run_task(&order()).await;
    assert!(
        matches!(error, Err(RpcError::Truncated { call: "RunTask" })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_task_that_ends_keeps_its_calls_and_its_answer() {
    let result = v1::task_event::Event::Result(v1::ToolResult {
        call_id: "c".into(),
        tool: "run_python".into(),
        is_error: false,
        result_json: r#"{"stdout":"1"}"#.into(),
        outcome: v1::CallOutcome::Ok.into(),
        attempts: 1,
    });
    let answer = v1::task_event::Event::Answer(v1::TaskAnswer {
        text: "one".into(),
        ..v1::TaskAnswer::default()
    });
    let script = Script {
        task: vec![called(), result, answer],
        ..Script::default()
    };
    let transcript = connected(script)
        .await
        .unwrap()
        .run_task(&order())
        .await
        .unwrap();
    assert_eq!(transcript.answer.as_deref(), Some("one"));
    assert_eq!(transcript.calls[0].result, Some(json!({"stdout": "1"})));
}

#[tokio::test]
async fn a_channel_whose_agent_went_away_dials_again() {
    let authority = authority();
    let agent = FakeAgent::secure(Script::default(), &authority.server("a").unwrap());
    let (cut, dial) = cuttable(agent.dial());
    let client = connect("r1", "a", &authority.client().unwrap(), dial)
        .await
        .unwrap();
    client.describe().await.unwrap();
    cut.notify_one();
    while client.describe().await.is_ok() && agent.dialled.load(Ordering::SeqCst) == 1 {}
    client.describe().await.unwrap();
    assert_eq!(agent.dialled.load(Ordering::SeqCst), 2);
}

/// Passes streams on through a pump that a notification stops.
fn cuttable(dial: Dial) -> (std::sync::Arc<tokio::sync::Notify>, Dial) {
    let cut = std::sync::Arc::new(tokio::sync::Notify::new());
    let stop = std::sync::Arc::clone(&cut);
    let through: Dial = std::sync::Arc::new(move || {
        let (stream, stop) = (dial(), std::sync::Arc::clone(&stop));
        Box::pin(async move {
            let mut inner = stream.await?;
            let (near, mut far) = tokio::io::duplex(64 * 1024);
            tokio::spawn(async move {
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut inner, &mut far) => {}
                    () = stop.notified() => {}
                }
            });
            Ok(Box::new(near) as Box<dyn Connection>)
        })
    });
    (cut, through)
}
