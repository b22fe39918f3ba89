//! From the providers' answer to clusters that can be spoken to over gRPC.

use super::directory::RunDirectory;
use super::event::EventKind;
use super::id::RunId;
use super::plan::RunPlan;
use super::session::{Session, Sessions};
use crate::cluster::{
    Bootstrap, Cluster, ClusterError, Secrets, bootstrap as bootstrap_cluster, dial_pod,
};
use crate::ledger::{FORMAT, Ledger, LedgerCluster, LedgerError, LedgerHeader};
use crate::provider::{self, ProviderError, Resolved};
use crate::rpc::{self, AgentDescription, Credentials, PkiError, RpcError, RunAuthority};
use crate::scenario::Scenario;
use crate::verify::Role;
use futures::future::{join_all, try_join_all};
use jiff::Timestamp;
use portproof_proto::names;
use std::time::Duration;

const CONTROL_DEADLINE: Duration = Duration::from_mins(1);

/// Why a cluster cannot be spoken to.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The Kubernetes API of a cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The clusters are not what the scenario needs.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The ledger cannot be begun.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The certificates of the run cannot be made.
    #[error(transparent)]
    Certificates(#[from] PkiError),
    /// The control agent of a cluster does not answer.
    #[error("the control agent of cluster {role}")]
    Agent {
        /// The cluster.
        role: Role,
        /// What failed.
        #[source]
        source: RpcError,
    },
    /// Something else answers where the control agent should.
    #[error("the control agent of cluster {role} speaks for run {run} in cluster {uid}")]
    WrongAgent {
        /// The cluster.
        role: Role,
        /// Run it names.
        run: String,
        /// Cluster it names.
        uid: String,
    },
}

/// A cluster that answered.
pub(super) struct Reached {
    pub cluster: Cluster,
    pub resolved: Resolved,
}

impl Reached {
    /// Tells the log which cluster this is.
    pub(super) fn event(&self) -> EventKind {
        EventKind::ClusterResolved {
            role: self.cluster.role().clone(),
            uid: self.cluster.uid().to_owned(),
            kubernetes: self.cluster.version().to_owned(),
            provider: self.resolved.provider.to_owned(),
            gateway_class: self.resolved.gateway_class.clone(),
        }
    }
}

/// Connects to every cluster side by side and checks that they are different ones.
pub(super) async fn reach(
    scenario: &Scenario,
    resolved: Vec<Resolved>,
) -> Result<Vec<Reached>, ConnectError> {
    let connected = try_join_all(resolved.into_iter().map(|resolved| async {
        let cluster = Cluster::connect(resolved.role.clone(), resolved.access.clone()).await?;
        Ok::<_, ClusterError>(Reached { cluster, resolved })
    }));
    let connected = connected.await?;
    let clusters: Vec<_> = connected
        .iter()
        .map(|reached| reached.cluster.clone())
        .collect();
    provider::check_identities(&clusters, scenario.allow_same_cluster)?;
    Ok(connected)
}

/// Begins the ledger: from here on everything that is created is in it first.
pub(super) fn begin_ledger(
    run: &RunId,
    directory: &RunDirectory,
    clusters: &[Reached],
) -> Result<Ledger, LedgerError> {
    let header = LedgerHeader {
        format: FORMAT,
        run_id: run.to_string(),
        namespace: run.namespace(),
        clusters: clusters.iter().map(ledger_cluster).collect(),
    };
    Ledger::create(&directory.ledger(), &header)
}

fn ledger_cluster(reached: &Reached) -> LedgerCluster {
    LedgerCluster {
        role: reached.cluster.role().clone(),
        uid: reached.cluster.uid().to_owned(),
        access: reached.cluster.access().clone(),
    }
}

/// Bootstraps every cluster side by side; all attempts end before a failure is reported, so that none goes on unseen.
pub(super) async fn bootstrap(
    plan: &RunPlan,
    ledger: &Ledger,
    clusters: &[Reached],
) -> Result<Sessions, ConnectError> {
    let authority = RunAuthority::new(plan.run.as_str())?;
    let client = authority.client()?;
    let sessions = join_all(
        clusters
            .iter()
            .map(|reached| open(plan, ledger, reached, &authority, &client)),
    )
    .await;
    sessions
        .into_iter()
        .map(|session| session.map(|session| (session.role.clone(), session)))
        .collect()
}

async fn open(
    plan: &RunPlan,
    ledger: &Ledger,
    reached: &Reached,
    authority: &RunAuthority,
    client: &Credentials,
) -> Result<Session, ConnectError> {
    let cluster = &reached.cluster;
    let role = cluster.role();
    let bootstrap = Bootstrap {
        run: plan.run.to_string(),
        role: role.to_string(),
        namespace: plan.run.namespace(),
        cluster_uid: cluster.uid().to_owned(),
        image: plan.image.clone(),
        image_pull_policy: reached.resolved.image_pull_policy.to_string(),
        began: Timestamp::now(),
    };
    let secrets = Secrets {
        agent: &authority.server(role.as_str())?,
        upstream: &plan.upstream,
    };
    let pod = bootstrap_cluster(cluster, ledger, &bootstrap, &secrets, CONTROL_DEADLINE).await?;
    let dial = dial_pod(cluster, &bootstrap.namespace, &pod, names::CONTROL_PORT);
    let failed = |source| ConnectError::Agent {
        role: role.clone(),
        source,
    };
    let agent = rpc::connect(plan.run.as_str(), role.as_str(), client, dial)
        .await
        .map_err(failed)?;
    check_agent(plan, cluster, &agent.describe().await.map_err(failed)?)?;
    let relay = agent.relay().await.map_err(failed)?;
    Ok(Session {
        role: role.clone(),
        cluster: cluster.clone(),
        agent,
        relay,
        gateway_class: reached.resolved.gateway_class.clone(),
        image_pull_policy: bootstrap.image_pull_policy,
    })
}

fn check_agent(
    plan: &RunPlan,
    cluster: &Cluster,
    agent: &AgentDescription,
) -> Result<(), ConnectError> {
    if agent.run_id == plan.run.as_str() && agent.cluster_uid == cluster.uid() {
        return Ok(());
    }
    Err(ConnectError::WrongAgent {
        role: cluster.role().clone(),
        run: agent.run_id.clone(),
        uid: agent.cluster_uid.clone(),
    })
}
