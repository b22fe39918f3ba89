use super::*;
use crate::control::fake_api::FakeApi;
use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use portproof_proto::names::{PART_LABEL, RUN_LABEL};
use portproof_proto::v1::{ProbeOutcome, ProbeVia, Target, Transport};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};

fn home() -> Home {
    Home {
        run_id: "r1".into(),
        role: "a".into(),
        namespace: "portproof-r1".into(),
        cluster_uid: "uid-c".into(),
    }
}

async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// An interpreter that answers every probe like this.
async fn interpreter(answer: Value) -> SocketAddr {
    let fingerprint = json!({"release": "4.19.0-gvisor", "version": "#1", "bootId": "b", "procVersion": "p",
        "sentryMeminfo": true, "kallsyms": false, "kernelLog": null});
    let router = Router::new()
        .route("/v1/probe", post(|| async { Json(answer) }))
        .route("/v1/fingerprint", get(|| async { Json(fingerprint) }));
    serve(router).await
}

/// An interpreter that runs Python with the system's own.
async fn python() -> SocketAddr {
    async fn execute(Json(call): Json<Value>) -> Json<Value> {
        let code = call["code"].as_str().unwrap().to_owned();
        let output = tokio::process::Command::new("python3")
            .args(["-I", "-S", "-B", "-c", &code])
            .output()
            .await
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Json(
            json!({"stdout": text(&output.stdout), "stderr": text(&output.stderr), "exitCode": 0, "timedOut": false,
            "truncated": false}),
        )
    }
    serve(Router::new().route("/v1/execute", post(execute))).await
}

/// A canary listener that has received exactly `n-arrived`.
async fn canary() -> SocketAddr {
    let receipts = |Path(nonce): Path<String>| async move {
        let found = json!([{"transport": "tcp", "from": "10.0.0.7:4711"}]);
        Json(if nonce == "n-arrived" {
            found
        } else {
            json!([])
        })
    };
    serve(Router::new().route("/receipts/{nonce}", get(receipts))).await
}

fn cluster() -> FakeApi {
    let api = FakeApi::default();
    for (part, address) in [(Part::Canary, "10.0.0.9"), (Part::Interpreter, "10.0.0.5")] {
        let path = format!("/api/v1/namespaces/portproof-r1/pods/{}", part.name());
        api.put(&path, json!({"metadata": {"name": part.name(), "labels": {RUN_LABEL: "r1", PART_LABEL: part.name()}},
            "spec": {"nodeName": "node-a", "runtimeClassName": "gvisor"},
            "status": {"podIP": address, "conditions": [{"type": "Ready", "status": "True"}]}}));
    }
    api.put(
        "/api/v1/namespaces/portproof-r1/services/tool-gateway",
        json!({"metadata": {"name": "tool-gateway"}, "spec": {"clusterIP": "10.51.0.8"}}),
    );
    api
}

fn probe(nonce: &str, transport: Transport, target: Target) -> EgressProbe {
    let mut probe = EgressProbe {
        id: nonce.into(),
        nonce: nonce.into(),
        timeout_ms: 500,
        ..EgressProbe::default()
    };
    probe.set_origin(Origin::Sandbox);
    probe.set_transport(transport);
    probe.set_target(target);
    probe.set_via(ProbeVia::Native);
    probe
}

async fn observed(peers: &Peers, probe: EgressProbe) -> EgressObservation {
    let (api, home) = (cluster().server(), home());
    let prober = Prober {
        api: &api,
        peers,
        home: &home,
    };
    let request = ProbeRequest {
        probes: vec![probe],
        fingerprint: false,
    };
    prober.run(&request).await.unwrap().observations.remove(0)
}

#[tokio::test]
async fn the_receipt_of_the_target_counts_whatever_the_sender_saw() {
    let peers = Peers::new()
        .unwrap()
        .with(
            Part::Interpreter,
            interpreter(json!({"outcome": "timeout", "detail": "ETIMEDOUT"})).await,
        )
        .with(Part::Canary, canary().await);
    let observed = observed(&peers, probe("n-arrived", Transport::Udp, Target::Canary)).await;
    assert_eq!(
        (
            observed.outcome(),
            observed.received,
            observed.witness_answered
        ),
        (ProbeOutcome::Timeout, true, true)
    );
    assert_eq!(
        (observed.address.as_str(), observed.seen_from.as_str()),
        ("10.0.0.9:4433", "10.0.0.7:4711")
    );
}

#[tokio::test]
async fn a_blocked_probe_leaves_no_receipt() {
    let peers = Peers::new()
        .unwrap()
        .with(
            Part::Interpreter,
            interpreter(json!({"outcome": "refused", "detail": "ECONNREFUSED"})).await,
        )
        .with(Part::Canary, canary().await);
    let observed = observed(&peers, probe("n-lost", Transport::Tcp, Target::Canary)).await;
    assert_eq!(
        (
            observed.outcome(),
            observed.received,
            observed.witness_answered
        ),
        (ProbeOutcome::Refused, false, true)
    );
}

#[tokio::test]
async fn without_its_witness_a_probe_proves_nothing() {
    let peers = Peers::new()
        .unwrap()
        .with(
            Part::Interpreter,
            interpreter(json!({"outcome": "refused", "detail": ""})).await,
        )
        .with(Part::Canary, "127.0.0.1:1".parse().unwrap());
    let observed = observed(&peers, probe("n-lost", Transport::Tcp, Target::Canary)).await;
    assert_eq!(
        (observed.received, observed.witness_answered),
        (false, false)
    );
}

#[tokio::test]
async fn a_pod_that_cannot_be_asked_is_not_run_and_never_blocked() {
    let peers = Peers::new()
        .unwrap()
        .with(Part::Interpreter, "127.0.0.1:1".parse().unwrap())
        .with(Part::Canary, canary().await);
    let observed = observed(&peers, probe("n-lost", Transport::Tcp, Target::Canary)).await;
    assert_eq!(observed.outcome(), ProbeOutcome::NotRun);
    assert!(!observed.detail.is_empty() && !observed.witness_answered);
}

#[tokio::test]
async fn the_allowed_peer_testifies_by_its_answer() {
    for (answer, received) in [
        (json!("nonce n-1"), true),
        (json!("another"), false),
        (json!(true), true),
        (json!(null), false),
    ] {
        let interpreter =
            interpreter(json!({"outcome": "sent", "detail": "200", "received": answer})).await;
        let peers = Peers::new().unwrap().with(Part::Interpreter, interpreter);
        let observed = observed(&peers, probe("n-1", Transport::Http, Target::AllowedPeer)).await;
        assert_eq!(
            (observed.received, observed.witness_answered),
            (received, true),
            "{answer}"
        );
        assert_eq!(observed.address, "10.51.0.8:8080");
    }
}

#[tokio::test]
async fn a_combination_that_means_nothing_is_not_run() {
    let peers = Peers::new().unwrap().with(Part::Canary, canary().await);
    for probe in [
        probe("n", Transport::Http, Target::Canary),
        probe("n", Transport::Udp, Target::AllowedPeer),
    ] {
        assert_eq!(
            observed(&peers, probe).await.outcome(),
            ProbeOutcome::NotRun
        );
    }
}

/// The Python probe against a real listener.
async fn by_python(transport: Transport, address: SocketAddr) -> EgressObservation {
    let peers = Peers::new()
        .unwrap()
        .with(Part::Interpreter, python().await);
    let (api, home) = (cluster().server(), home());
    let mut probe = probe("n-py", transport, Target::AllowedPeer);
    probe.set_via(ProbeVia::Python);
    probe.timeout_ms = 5_000;
    let targets = pods::Targets {
        canary: None,
        allowed_peer: Some(address),
    };
    Prober {
        api: &api,
        peers: &peers,
        home: &home,
    }
    .attempt(&probe, &targets)
    .await
}

#[tokio::test]
async fn the_python_probe_finds_an_open_and_a_closed_port() {
    let reach = serve(Router::new().route(
        "/reach",
        get(|uri: http::Uri| async move { uri.to_string() }),
    ))
    .await;
    let observed = by_python(Transport::Http, reach).await;
    assert_eq!(
        (observed.outcome(), observed.received),
        (ProbeOutcome::Sent, true),
        "{}",
        observed.detail
    );
    let closed = {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap()
    };
    assert_eq!(
        by_python(Transport::Tcp, closed).await.outcome(),
        ProbeOutcome::Refused
    );
}

#[tokio::test]
async fn a_python_probe_without_a_finding_is_not_run() {
    let broken = serve(Router::new().route(
        "/v1/execute",
        post(|| async {
            Json(json!({"stdout": "", "stderr": "SyntaxError", "exitCode": 1, "timedOut": false}))
        }),
    ))
    .await;
    let peers = Peers::new()
        .unwrap()
        .with(Part::Interpreter, broken)
        .with(Part::Canary, canary().await);
    let mut probe = probe("n", Transport::Tcp, Target::Canary);
    probe.set_via(ProbeVia::Python);
    let observed = observed(&peers, probe).await;
    assert_eq!(observed.outcome(), ProbeOutcome::NotRun);
    assert!(
        observed.detail.ends_with("SyntaxError"),
        "{}",
        observed.detail
    );
}

#[tokio::test]
async fn fingerprints_name_pod_node_and_runtime_and_say_what_could_not_be_read() {
    let peers = Peers::new()
        .unwrap()
        .with(Part::Interpreter, interpreter(json!({})).await);
    let (api, home) = (cluster().server(), home());
    let prober = Prober {
        api: &api,
        peers: &peers,
        home: &home,
    };
    let response = prober
        .run(&ProbeRequest {
            probes: vec![],
            fingerprint: true,
        })
        .await
        .unwrap();
    let [sandbox, control] = response.fingerprints.as_slice() else {
        panic!("{response:?}")
    };
    assert_eq!(
        (sandbox.release.as_str(), sandbox.node.as_str()),
        ("4.19.0-gvisor", "node-a")
    );
    assert_eq!(
        (sandbox.runtime_class.as_str(), sandbox.sentry_meminfo),
        ("gvisor", true)
    );
    assert_eq!(control.error, "`probe-control` has no ready pod");
}

#[tokio::test]
async fn probes_that_say_too_little_or_carry_a_strange_nonce_are_refused() {
    let mut without = probe("n", Transport::Tcp, Target::Canary);
    without.via = 0;
    assert!(matches!(
        check(&[without]),
        Err(ProbeError::Missing { member: "via", .. })
    ));
    let strange = probe("../healthz", Transport::Tcp, Target::Canary);
    assert!(matches!(check(&[strange]), Err(ProbeError::Nonce { .. })));
}
