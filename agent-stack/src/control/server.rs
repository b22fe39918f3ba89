//! The gRPC service: mutual TLS, admission of every call, deadlines; the work itself is in the sibling modules.

use super::api::ApiServer;
use super::caller::Admission;
use super::door::{Door, Limits};
use super::home::Home;
use super::peers::Peers;
use super::stream::{self, EventStream, within};
use super::telemetry::{self, Spool};
use super::tls::{Certificates, TlsError};
use super::traffic::{drive, split};
use super::{describe, export, import, probe, stack, task, teardown};
use portproof_proto::MAX_MESSAGE_BYTES;
use portproof_proto::v1::cluster_agent_server::{ClusterAgent, ClusterAgentServer};
use portproof_proto::v1::{
    BundleChunk, DescribeRequest, DescribeResponse, DriveTrafficRequest, ExportRequest,
    ImportEvent, ImportRequest, ProbeRequest, ProbeResponse, ProvisionEvent, ProvisionRequest,
    RunTaskRequest, SetTrafficSplitRequest, SetTrafficSplitResponse, TaskEvent, TeardownEvent,
    TeardownRequest, TelemetryAck, TelemetryBatch, TrafficEvent,
};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::InterceptorLayer;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

const UNARY_DEADLINE: Duration = Duration::from_secs(20);
const PROBE_DEADLINE: Duration = Duration::from_mins(2);
const CARRY_DEADLINE: Duration = Duration::from_mins(2);
const TEARDOWN_DEADLINE: Duration = Duration::from_mins(2);
/// A relay lives as long as the run; a run that is longer opens another one.
const RELAY_DEADLINE: Duration = Duration::from_hours(24);
/// What a call gets beyond the time its request names, so that the inner deadline speaks first.
const GRACE: Duration = Duration::from_secs(5);

/// The control agent of one cluster.
pub(crate) struct Agent {
    home: Arc<Home>,
    api: ApiServer,
    peers: Peers,
    spool: Arc<Spool>,
    split: split::Keeper,
}

impl Agent {
    pub(crate) fn new(home: Home, api: ApiServer, peers: Peers, spool: Arc<Spool>) -> Self {
        let home = Arc::new(home);
        let split = split::Keeper::new(api.clone(), &home.namespace);
        Self {
            home,
            api,
            peers,
            spool,
            split,
        }
    }
}

/// Why the agent serves no more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The certificates are unusable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The listener is broken.
    #[error("the gRPC listener accepts no connections any more")]
    Accept(#[source] io::Error),
    /// The service failed.
    #[error("the gRPC service failed")]
    Transport(#[from] tonic::transport::Error),
}

/// Serves until `stop`.
///
/// # Errors
/// When the certificates are unusable or the listener fails.
pub(crate) async fn serve(
    listener: TcpListener,
    agent: Agent,
    certificates: &Certificates,
    limits: Limits,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let admission = Admission::new(&agent.home.run_id);
    let service = ClusterAgentServer::new(agent)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<ClusterAgentServer<Agent>>().await;
    let (door, incoming) = Door::new(certificates.acceptor()?, limits);
    let serving = Server::builder()
        .http2_keepalive_interval(Some(limits.ping))
        .http2_keepalive_timeout(Some(limits.pong))
        .max_concurrent_streams(limits.streams)
        .layer(InterceptorLayer::new(admission))
        .add_service(service)
        .add_service(health_service)
        .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    tokio::select! {
        served = serving => Ok(served?),
        broken = door.admit(listener, stop) => Err(ServeError::Accept(broken)),
    }
}

#[tonic::async_trait]
impl ClusterAgent for Agent {
    type ProvisionStream = EventStream<ProvisionEvent>;
    type TeardownStream = EventStream<TeardownEvent>;
    type ExportStream = EventStream<BundleChunk>;
    type ImportStream = EventStream<ImportEvent>;
    type RunTaskStream = EventStream<TaskEvent>;
    type DriveTrafficStream = EventStream<TrafficEvent>;
    type RelayTelemetryStream = EventStream<TelemetryBatch>;

    async fn describe(
        &self,
        _: Request<DescribeRequest>,
    ) -> Result<Response<DescribeResponse>, Status> {
        let describe = async { Ok(describe::describe(&self.api, &self.home).await?) };
        within(UNARY_DEADLINE, describe).await.map(Response::new)
    }

    async fn provision(
        &self,
        request: Request<ProvisionRequest>,
    ) -> Result<Response<Self::ProvisionStream>, Status> {
        let request = request.into_inner();
        let deadline = stack::deadline(&request);
        let stage = stack::Stage {
            home: Arc::clone(&self.home),
            api: self.api.clone(),
            peers: self.peers.clone(),
        };
        Ok(stream::answer(deadline + GRACE, move |events| async move {
            Ok(stack::provision(&stage, request, &events).await?)
        }))
    }

    async fn teardown(
        &self,
        _: Request<TeardownRequest>,
    ) -> Result<Response<Self::TeardownStream>, Status> {
        let (api, home) = (self.api.clone(), Arc::clone(&self.home));
        self.split.rest().await;
        Ok(stream::answer(
            TEARDOWN_DEADLINE,
            move |events| async move { Ok(teardown::teardown(&api, &home, &events).await?) },
        ))
    }

    async fn export(
        &self,
        request: Request<ExportRequest>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        let request = request.into_inner();
        let (api, peers, home) = (self.api.clone(), self.peers.clone(), Arc::clone(&self.home));
        Ok(stream::answer(CARRY_DEADLINE, move |events| async move {
            Ok(export::export(&api, &peers, &home.namespace, &request.selector, &events).await?)
        }))
    }

    async fn import(
        &self,
        request: Request<Streaming<ImportRequest>>,
    ) -> Result<Response<Self::ImportStream>, Status> {
        let (api, home) = (self.api.clone(), Arc::clone(&self.home));
        Ok(stream::answer(CARRY_DEADLINE, move |events| async move {
            let parcel = import::receive(request.into_inner()).await?;
            Ok(import::import(&api, &home, &parcel, &events).await?)
        }))
    }

    async fn run_task(
        &self,
        request: Request<RunTaskRequest>,
    ) -> Result<Response<Self::RunTaskStream>, Status> {
        let request = request.into_inner();
        let deadline = task::deadline(&request);
        let peers = self.peers.clone();
        Ok(stream::answer(deadline + GRACE, move |events| async move {
            Ok(task::run(&peers, &request, &events).await?)
        }))
    }

    async fn set_traffic_split(
        &self,
        request: Request<SetTrafficSplitRequest>,
    ) -> Result<Response<SetTrafficSplitResponse>, Status> {
        let request = request.into_inner();
        let set = async { Ok(self.split.set(&request).await?) };
        within(UNARY_DEADLINE, set).await.map(Response::new)
    }

    async fn drive_traffic(
        &self,
        request: Request<DriveTrafficRequest>,
    ) -> Result<Response<Self::DriveTrafficStream>, Status> {
        let plan = drive::Plan::check(request.into_inner())?;
        let (api, peers, home) = (self.api.clone(), self.peers.clone(), Arc::clone(&self.home));
        Ok(stream::answer(
            plan.longest() + GRACE,
            move |events| async move {
                Ok(drive::drive(&api, &peers, &home.namespace, plan, &events).await?)
            },
        ))
    }

    async fn probe(
        &self,
        request: Request<ProbeRequest>,
    ) -> Result<Response<ProbeResponse>, Status> {
        let prober = probe::Prober {
            api: &self.api,
            peers: &self.peers,
            home: &self.home,
        };
        let request = request.into_inner();
        let probe = async { Ok(prober.run(&request).await?) };
        within(PROBE_DEADLINE, probe).await.map(Response::new)
    }

    async fn relay_telemetry(
        &self,
        request: Request<Streaming<TelemetryAck>>,
    ) -> Result<Response<Self::RelayTelemetryStream>, Status> {
        let (spool, cluster_uid) = (Arc::clone(&self.spool), self.home.cluster_uid.clone());
        Ok(stream::answer(RELAY_DEADLINE, move |events| {
            telemetry::relay(spool, cluster_uid, request.into_inner(), events)
        }))
    }
}

#[cfg(test)]
mod tests;
