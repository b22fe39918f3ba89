//! When a part is ready: it answers, not merely its conditions.

use super::StackError;
use super::apply::Stage;
use super::plan::Plan;
use crate::control::api::{Kind, text};
use crate::control::mcp;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, DynamicObject};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::await_condition;
use portproof_proto::names::{
    BACKEND_HEADER, CANARY_VERSION, GATEWAY, Part, STABLE_VERSION, VERSION_HEADER,
};
use serde_json::Value;
use std::time::Duration;

/// Pause between two attempts to reach something that has just become ready.
const PAUSE: Duration = Duration::from_millis(50);
/// Longest time one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Right answers in a row before a route counts as in place: each worker of a data plane converges on its own.
const IN_A_ROW: u32 = 3;

/// Where the Gateway answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GatewayAddress {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl GatewayAddress {
    /// `http://host:port`, with the brackets an IPv6 address needs.
    pub(crate) fn url(&self) -> String {
        if self.host.contains(':') {
            format!("http://[{}]:{}", self.host, self.port)
        } else {
            format!("http://{}:{}", self.host, self.port)
        }
    }
}

impl Stage {
    /// Waits until the part's Deployment is available and its Service answers.
    pub(super) async fn part_answers(&self, part: Part) -> Result<(), StackError> {
        let deployments: Api<Deployment> = Api::namespaced(self.api.client(), &self.home.namespace);
        let available = |deployment: Option<&Deployment>| deployment.is_some_and(is_available);
        await_condition(deployments, part.name(), available)
            .await
            .map_err(|source| StackError::Watch {
                object: part.name(),
                source,
            })?;
        while self.peers.health(part, ATTEMPT).await.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Waits until the Gateway is programmed and has an address.
    pub(super) async fn gateway_address(&self, plan: &Plan) -> Result<GatewayAddress, StackError> {
        let kind = ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", Kind::GATEWAY.kind),
            Kind::GATEWAY.plural,
        );
        let gateways: Api<DynamicObject> =
            Api::namespaced_with(self.api.client(), &self.home.namespace, &kind);
        let programmed = |gateway: Option<&DynamicObject>| {
            gateway.is_some_and(|gateway| address(&gateway.data).is_some())
        };
        let gateway = await_condition(gateways, GATEWAY, programmed)
            .await
            .map_err(|source| StackError::Watch {
                object: GATEWAY,
                source,
            })?;
        let host = gateway
            .and_then(|gateway| address(&gateway.data))
            .ok_or(StackError::NoAddress)?;
        Ok(GatewayAddress {
            host,
            port: plan.gateway_port,
        })
    }

    /// Waits until each model version answers through the Gateway when it is asked for by name.
    pub(super) async fn model_route_answers(&self, plan: &Plan, gateway: &GatewayAddress) {
        for (version, part) in [
            (STABLE_VERSION, Part::ModelStable),
            (CANARY_VERSION, Part::ModelCanary),
        ] {
            until_in_a_row(|| self.model_answers(plan, gateway, version, part)).await;
        }
    }

    async fn model_answers(
        &self,
        plan: &Plan,
        gateway: &GatewayAddress,
        version: &str,
        part: Part,
    ) -> bool {
        let request = self
            .peers
            .http()
            .get(format!("{}/v1/models", gateway.url()))
            .header(http::header::HOST, &plan.hostname)
            .header(VERSION_HEADER, version)
            .timeout(ATTEMPT);
        let Ok(answer) = request.send().await else {
            return false;
        };
        let backend = answer
            .headers()
            .get(BACKEND_HEADER)
            .and_then(|backend| backend.to_str().ok());
        answer.status().is_success() && backend == Some(part.name())
    }

    /// Waits until the tool gateway answers MCP through the Gateway.
    pub(super) async fn tools_route_answers(&self, plan: &Plan, gateway: &GatewayAddress) {
        let url = format!("{}/mcp", gateway.url());
        let server = mcp::Server::new(self.peers.http(), &url).with_host(&plan.hostname);
        until_in_a_row(|| async { server.discover().await.is_ok() }).await;
    }
}

async fn until_in_a_row<F: Future<Output = bool>>(mut attempt: impl FnMut() -> F) {
    let mut right = 0;
    while right < IN_A_ROW {
        if attempt().await {
            right += 1;
        } else {
            right = 0;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// All replicas are of the newest generation and ready.
fn is_available(deployment: &Deployment) -> bool {
    let wanted = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1);
    deployment.status.as_ref().is_some_and(|status| {
        status.observed_generation == deployment.metadata.generation
            && status.replicas == Some(wanted)
            && status.updated_replicas == Some(wanted)
            && status.available_replicas == Some(wanted)
    })
}

/// The address of a Gateway that its controller says is programmed.
pub(crate) fn address(gateway: &Value) -> Option<String> {
    let conditions = gateway.pointer("/status/conditions")?.as_array()?;
    let programmed = conditions.iter().any(|condition| {
        text(condition, "/type") == "Programmed" && text(condition, "/status") == "True"
    });
    let address = text(gateway, "/status/addresses/0/value");
    (programmed && !address.is_empty()).then(|| address.to_owned())
}
