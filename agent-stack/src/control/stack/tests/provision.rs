//! The whole of `Provision`, against an API server in memory.

use super::*;
use crate::control::fake_api::FakeApi;
use crate::control::peers::Peers;
use crate::control::stream::Events;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use portproof_proto::names::BACKEND_HEADER;
use portproof_proto::v1::provision_event::Event;
use portproof_proto::v1::{ProvisionRequest, StackReady};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Every part and the gateway's data plane in one server.
async fn everything_answers() -> SocketAddr {
    async fn models(headers: HeaderMap) -> (StatusCode, [(&'static str, String); 1]) {
        assert_eq!(headers["host"], "models.portproof.internal");
        let version = headers
            .get("x-model-version")
            .and_then(|version| version.to_str().ok())
            .unwrap_or("stable");
        (
            StatusCode::OK,
            [(BACKEND_HEADER, format!("model-{version}"))],
        )
    }
    async fn mcp(State(()): State<()>, Json(request): Json<Value>) -> Json<Value> {
        Json(
            json!({"jsonrpc": "2.0", "id": request["id"], "result": {"supportedVersions": ["2026-07-28"]}}),
        )
    }
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/v1/models", get(models))
        .route("/mcp", post(mcp))
        .with_state(());
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A cluster whose controllers do their work at once, but for one Deployment that is left out.
fn controllers(api: &FakeApi, gateway: IpAddrText, left_out: &'static str) {
    api.on_write(move |object| {
        if object["kind"] == "Deployment" && object["metadata"]["name"] != left_out {
            object["status"] = json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
        }
        if object["kind"] == "Gateway" {
            object["status"] = json!({"addresses": [{"type": "IPAddress", "value": gateway}],
                "conditions": [{"type": "Programmed", "status": "True"}]});
        }
    });
}

type IpAddrText = &'static str;

async fn provisioned(
    left_out: &'static str,
    deadline_s: u32,
) -> (FakeApi, Vec<Event>, Result<(), StackError>) {
    let address = everything_answers().await;
    let api = FakeApi::default();
    controllers(&api, "127.0.0.1", left_out);
    let peers = objects::PARTS
        .into_iter()
        .fold(Peers::new().unwrap(), |peers, part| {
            peers.with(part, address)
        });
    let stage = Stage {
        home: Arc::new(home()),
        api: api.server(),
        peers,
    };
    let mut spec = spec(&[]);
    spec.gateway.as_mut().unwrap().port = u32::from(address.port());
    let (events, mut received) = Events::channel();
    let outcome = provision(
        &stage,
        ProvisionRequest {
            stack: Some(spec),
            deadline_s,
        },
        &events,
    )
    .await;
    drop(events);
    let mut told = Vec::new();
    while let Some(event) = received.recv().await {
        told.push(event.unwrap().event.unwrap());
    }
    (api, told, outcome)
}

#[tokio::test]
async fn provisioning_ends_once_every_part_answers() {
    let (api, events, outcome) = provisioned("", 60).await;
    outcome.unwrap();
    let applied = events
        .iter()
        .filter(|event| matches!(event, Event::Applied(object) if !object.uid.is_empty()))
        .count();
    assert_eq!(applied, all_objects(&plan(&[])).len());
    let ready: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Ready(ready) => Some(ready.part.as_str()),
            _ => None,
        })
        .collect();
    for part in objects::PARTS {
        assert!(ready.contains(&part.name()), "{ready:?}");
    }
    let Some(Event::Stack(StackReady {
        gateway_address,
        gateway_port,
    })) = events.last()
    else {
        panic!("{events:?}")
    };
    assert_eq!(gateway_address, "127.0.0.1");
    let agent = api
        .get(&Kind::DEPLOYMENT.object("portproof-r1", "agent"))
        .unwrap();
    let arguments = agent["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
    assert!(
        arguments.contains(&format!("http://127.0.0.1:{gateway_port}")),
        "{arguments}"
    );
}

#[tokio::test]
async fn a_part_that_never_comes_is_named() {
    let (_, _, outcome) = provisioned("catalog", 1).await;
    let Err(StackError::NotReady { waiting, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(waiting, "catalog, route/model, route/tools");
}

#[tokio::test]
async fn what_the_api_server_refuses_is_named() {
    let api = FakeApi::default();
    api.refuse(
        "/api/v1/namespaces/portproof-r1/services/agent",
        StatusCode::FORBIDDEN,
        "no",
    );
    let stage = Stage {
        home: Arc::new(home()),
        api: api.server(),
        peers: Peers::new().unwrap(),
    };
    let (events, _received) = Events::channel();
    let request = ProvisionRequest {
        stack: Some(spec(&[])),
        deadline_s: 5,
    };
    let status = tonic::Status::from(provision(&stage, request, &events).await.unwrap_err());
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    assert!(
        status
            .message()
            .starts_with("`Service/agent` was not applied: "),
        "{status}"
    );
}
