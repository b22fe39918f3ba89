//! `DriveTraffic`: an open-loop load plan. The schedule is fixed in advance and never waits for answers; whatever
//! could not be sent in time is counted, and every latency is measured from the time the request was due.

mod plan;
mod run;

pub(crate) use plan::{Plan, PlanError};

use super::received::Counts;
use crate::control::api::{ApiError, ApiServer, Kind, text};
use crate::control::peers::Peers;
use crate::control::stack::gateway_address;
use crate::control::stream::Events;
use crate::control::{clock, failure};
use portproof_proto::names::{GATEWAY, MODEL_ROUTE};
use portproof_proto::v1::traffic_event::Event;
use portproof_proto::v1::{TrafficEvent, TrafficStarted};
use tonic::{Code, Status};

/// Why no traffic was driven.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DriveError {
    /// The gateway's address could not be read.
    #[error("the gateway could not be read")]
    Api(#[from] ApiError),
    /// The stack is not provisioned.
    #[error(
        "there is no Gateway `{GATEWAY}` with an address, or no HTTPRoute `{MODEL_ROUTE}` with a host name"
    )]
    NoGateway,
    /// The plan cannot be carried out.
    #[error("the load plan is not valid")]
    Plan(#[from] PlanError),
    /// The scheduler ended early.
    #[error("the scheduler broke off")]
    Scheduler(#[from] tokio::task::JoinError),
}

impl From<DriveError> for Status {
    fn from(error: DriveError) -> Self {
        let code = match &error {
            DriveError::Api(_) => Code::Unavailable,
            DriveError::NoGateway => Code::FailedPrecondition,
            DriveError::Plan(_) => Code::InvalidArgument,
            DriveError::Scheduler(_) => Code::Internal,
        };
        failure::status(code, &error)
    }
}

/// Where the stack's gateway answers, and under which host name.
struct Entrance {
    host: String,
    port: u16,
    hostname: String,
}

/// Carries a plan out against the gateway of the stack.
pub(crate) async fn drive(
    api: &ApiServer,
    peers: &Peers,
    namespace: &str,
    plan: Plan,
    events: &Events<TrafficEvent>,
) -> Result<(), DriveError> {
    let entrance = entrance(api, namespace).await?;
    let target = plan.target(entrance.host, entrance.port, &entrance.hostname)?;
    let before = Counts::read(peers).await;
    let prepared = run::prepare(&plan, target).await;
    events
        .send(event(Event::Started(TrafficStarted {
            monotonic_ns: clock::now_ns(),
        })))
        .await;
    let mut finished = prepared.carry_out(events).await?;
    finished.received = Counts::read(peers).await.since(&before);
    events.send(event(Event::Finished(finished))).await;
    Ok(())
}

fn event(event: Event) -> TrafficEvent {
    TrafficEvent { event: Some(event) }
}

async fn entrance(api: &ApiServer, namespace: &str) -> Result<Entrance, DriveError> {
    let gateway = api
        .get(&Kind::GATEWAY.object(namespace, GATEWAY))
        .await?
        .unwrap_or_default();
    let route = api
        .get(&Kind::HTTP_ROUTE.object(namespace, MODEL_ROUTE))
        .await?
        .unwrap_or_default();
    let host = gateway_address(&gateway).ok_or(DriveError::NoGateway)?;
    let port = gateway
        .pointer("/spec/listeners/0/port")
        .and_then(serde_json::Value::as_u64);
    let port = port
        .and_then(|port| u16::try_from(port).ok())
        .ok_or(DriveError::NoGateway)?;
    let hostname = text(&route, "/spec/hostnames/0").to_owned();
    if hostname.is_empty() {
        Err(DriveError::NoGateway)
    } else {
        Ok(Entrance {
            host,
            port,
            hostname,
        })
    }
}

#[cfg(test)]
mod tests;
