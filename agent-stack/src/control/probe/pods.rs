//! Which addresses the probes aim at, and where the pods stand.

use super::{ProbeError, Prober};
use crate::control::api::{ApiError, Kind, text};
use portproof_proto::names::{CANARY_PORT, HTTP_PORT, PART_LABEL, Part, RUN_LABEL};
use portproof_proto::v1::{EgressProbe, Target, Transport};
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};

/// Addresses of the targets, as the API server knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Targets {
    /// The canary listener's pod.
    pub(super) canary: Option<SocketAddr>,
    /// The tool gateway's Service.
    pub(super) allowed_peer: Option<SocketAddr>,
}

impl Targets {
    /// Where a probe goes, or why it cannot go there.
    pub(super) fn address(&self, probe: &EgressProbe) -> Result<SocketAddr, &'static str> {
        match (probe.target(), probe.transport()) {
            (Target::Canary, Transport::Http) => Err("the canary listener answers no HTTP probe"),
            (Target::Canary, _) => self.canary.ok_or("the canary pod has no address"),
            (Target::AllowedPeer, Transport::Udp) => Err("the allowed peer takes no datagrams"),
            (Target::AllowedPeer, _) => self.allowed_peer.ok_or("the allowed peer has no address"),
            (Target::Unspecified, _) => Err("there is no such target"),
        }
    }
}

impl Prober<'_> {
    pub(super) async fn targets(&self) -> Result<Targets, ProbeError> {
        let service = Kind::SERVICE.object(&self.home.namespace, Part::ToolGateway.name());
        let (canary, service) = tokio::try_join!(self.pod(Part::Canary), self.api.get(&service))?;
        let address = |object: Option<Value>, pointer, port| {
            let address = text(&object.unwrap_or_default(), pointer)
                .parse::<IpAddr>()
                .ok()?;
            Some(SocketAddr::from((address, port)))
        };
        Ok(Targets {
            canary: address(canary, "/status/podIP", CANARY_PORT),
            allowed_peer: address(service, "/spec/clusterIP", HTTP_PORT),
        })
    }

    /// The ready pod of a part; `None` when there is none.
    pub(super) async fn pod(&self, part: Part) -> Result<Option<Value>, ApiError> {
        let selector = format!(
            "{RUN_LABEL}={},{PART_LABEL}={}",
            self.home.run_id,
            part.name()
        );
        let pods = self
            .api
            .list(&Kind::POD.collection(&self.home.namespace), &selector)
            .await?;
        Ok(pods.into_iter().find(is_ready))
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.is_some_and(|conditions| {
        conditions.iter().any(|condition| {
            text(condition, "/type") == "Ready" && text(condition, "/status") == "True"
        })
    });
    ready && pod.pointer("/metadata/deletionTimestamp").is_none()
}
