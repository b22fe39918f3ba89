//! The steps of a scenario: each asks the agents for evidence, hands it to a rule and reports the verdict.

mod canary;
mod carry;
mod deploy;
mod egress;
mod export;
mod import;
mod rollback;
mod sandbox;
mod seed;
mod tasks;
mod traces;

use super::carried::Carried;
use super::dispatcher::EventSender;
use super::event::EventKind;
use super::plan::RunPlan;
use super::session::{Session, Sessions};
use crate::cluster::ClusterError;
use crate::ledger::{Ledger, LedgerError};
use crate::rpc::RpcError;
use crate::scenario::{Action, Step};
use crate::transfer::FixtureError;
use crate::verify::{CheckResult, Role};
use futures::future::join_all;

/// Why a step gave no evidence; never a verdict.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    /// A call to the agent of a cluster failed.
    #[error("cluster {role}")]
    Agent {
        /// The cluster.
        role: Role,
        /// What failed.
        #[source]
        source: RpcError,
    },
    /// The Kubernetes API failed.
    #[error("the Kubernetes API")]
    Cluster(#[from] ClusterError),
    /// The ledger cannot be written: nothing may be created any more.
    #[error("the ledger")]
    Ledger(#[from] LedgerError),
    /// The fixtures of the scenario cannot be loaded.
    #[error("the fixtures")]
    Fixtures(#[from] FixtureError),
    /// A step needs what an earlier one leaves.
    #[error("there is no {what}: put a `{step}` step before this one")]
    Order {
        /// What is missing.
        what: &'static str,
        /// The action that makes it.
        step: &'static str,
    },
    /// A cluster did not come to the state that the step measures.
    #[error("cluster {role}: {what}")]
    Unsettled {
        /// The cluster.
        role: Role,
        /// What did not happen.
        what: String,
    },
}

/// What every step works with.
pub(super) struct Bench<'a> {
    pub plan: &'a RunPlan,
    pub ledger: &'a Ledger,
    pub sessions: &'a Sessions,
    pub events: &'a EventSender,
    pub step: &'a str,
}

impl Bench<'_> {
    /// Tells people how far the step has come on one cluster.
    pub(super) fn note(&self, role: &Role, message: impl Into<String>) {
        self.events.send(EventKind::StepProgress {
            step: self.step.to_owned(),
            role: Some(role.clone()),
            message: message.into(),
        });
    }

    /// Reports a verdict.
    pub(super) fn verdict(&self, check: CheckResult) {
        self.events.send(EventKind::CheckFinished {
            step: self.step.to_owned(),
            check: Box::new(check),
        });
    }

    /// The session of a role.
    pub(super) fn session(&self, role: &Role) -> Result<&Session, StepError> {
        self.sessions.get(role).ok_or_else(|| StepError::Unsettled {
            role: role.clone(),
            what: "the cluster is not connected".to_owned(),
        })
    }

    /// Does the same on several clusters side by side; a failure is reported after all have ended.
    pub(super) async fn each<'s, T, Work>(
        &'s self,
        roles: &[Role],
        work: impl Fn(&'s Session) -> Work,
    ) -> Result<Vec<(Role, T)>, StepError>
    where
        Work: Future<Output = Result<T, StepError>>,
    {
        let mut under_way = Vec::new();
        for role in roles {
            let done = work(self.session(role)?);
            under_way.push(async move { done.await.map(|result| (role.clone(), result)) });
        }
        join_all(under_way).await.into_iter().collect()
    }
}

impl Session {
    /// Puts the role of the cluster on a failed call.
    fn call<T>(&self, outcome: Result<T, RpcError>) -> Result<T, StepError> {
        outcome.map_err(|source| StepError::Agent {
            role: self.role.clone(),
            source,
        })
    }
}

/// Runs one step.
pub(super) async fn run(
    bench: &Bench<'_>,
    step: &Step,
    carried: &mut Carried,
) -> Result<(), StepError> {
    let roles = &step.roles;
    match &step.action {
        Action::Deploy { deadline } => deploy::run(bench, roles, *deadline, carried).await,
        Action::Seed => seed::run(bench, roles, carried).await,
        Action::Carry { from, to } => carry::run(bench, from, to, carried).await,
        Action::Tasks { items } => tasks::run(bench, roles, items, carried).await,
        Action::Traces { deadline } => traces::run(bench, roles, *deadline, carried).await,
        Action::Canary(plan) => canary::run(bench, roles, plan, carried).await,
        Action::Rollback(plan) => rollback::run(bench, roles, plan, carried).await,
        Action::Sandbox => sandbox::run(bench, roles).await,
        Action::Egress => egress::run(bench, roles).await,
    }
}
