//! MCP through the Gateway, from outside the cluster, while the tool gateway is rolled out.

use crate::control_agent::Run;
use crate::operations::{client, roll};
use crate::tool_watch::list_tools;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client, Config};
use portproof_proto::names::Part;
use serde_json::Value;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Clients that ask at the same time, each one request after the other.
const CLIENTS: usize = 4;

/// A client of the run's Gateway, at the address that stands in its status.
async fn gateway(run: &Run) -> Client {
    let resource = ApiResource {
        group: "gateway.networking.k8s.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "gateway.networking.k8s.io/v1".to_owned(),
        kind: "Gateway".to_owned(),
        plural: "gateways".to_owned(),
    };
    let namespace = run.id.namespace();
    let client = client(run, None).await;
    let gateways: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &resource);
    let gateway = &gateways.list(&ListParams::default()).await.unwrap().items[0];
    let address = gateway.data["status"]["addresses"][0]["value"]
        .as_str()
        .unwrap();
    let config = Config::new(format!("http://{address}").parse().unwrap());
    Client::try_from(config).unwrap()
}

/// Asks until told to stop; how many answers came, and what went wrong.
async fn ask(client: Client, host: String, stop: CancellationToken) -> (usize, Vec<String>) {
    let (mut answered, mut failed) = (0, Vec::new());
    while !stop.is_cancelled() {
        match client.request::<Value>(list_tools("/mcp", &host)).await {
            Ok(answer) if answer["result"]["tools"].is_array() => answered += 1,
            Ok(answer) => failed.push(answer.to_string()),
            Err(error) => failed.push(error.to_string()),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (answered, failed)
}

/// A rollout of the tool gateway loses no call of those who come through the Gateway.
pub(crate) async fn assert_a_rollout_of_the_tool_gateway_loses_no_call(run: &Run) {
    let (outside, host) = (gateway(run).await, format!("{}.portproof.internal", run.id));
    let stop = CancellationToken::new();
    let asking: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(ask(outside.clone(), host.clone(), stop.clone())))
        .collect();
    let inside = client(run, None).await;
    roll(&inside, &run.id.namespace(), Part::ToolGateway).await;
    stop.cancel();
    for client in asking {
        let (answered, failed) = client.await.unwrap();
        assert!(failed.is_empty(), "{} failed: {failed:?}", failed.len());
        assert!(
            answered > 10,
            "{answered} answers are too few to say anything"
        );
    }
}
