//! Drives a run from the first cluster to the last clean-up, in the order of the scenario.

use super::carried::Carried;
use super::cleanup::{CleanUp, Cleaned};
use super::connect::{self, ConnectError};
use super::directory::RunDirectory;
use super::dispatcher::{EventSender, Stop};
use super::event::{EventKind, StepOutcome};
use super::plan::RunPlan;
use super::session::Sessions;
use super::steps::{self, Bench};
use crate::causes;
use crate::ledger::Ledger;
use crate::provider::Resolved;
use crate::scenario::Step;
use crate::verify::Role;
use std::error::Error;
use std::time::Instant;

const CLUSTERS: &str = "clusters";
const BOOTSTRAP: &str = "bootstrap";

/// Whatever a step is made of, people read its failure as a chain of causes.
type Failure = Box<dyn Error + Send + Sync>;

/// One run, as the work that the dispatcher drives.
pub(super) struct Executor<'a> {
    pub plan: RunPlan,
    pub directory: &'a RunDirectory,
    pub events: EventSender,
    pub stop: Stop,
}

impl Executor<'_> {
    /// Runs everything and cleans up, whatever happens; gives back what clean-up left.
    pub(super) async fn execute(
        self,
        clusters: impl Future<Output = Result<Vec<Resolved>, Failure>>,
    ) -> Cleaned {
        let Some(ledger) = self.reach(clusters).await else {
            return Cleaned::default();
        };
        let (ledger, clusters) = ledger;
        let roles = roles(&clusters);
        let sessions = self.step(BOOTSTRAP, &roles, async {
            connect::bootstrap(&self.plan, &ledger, &clusters)
                .await
                .map_err(Failure::from)
        });
        let sessions = sessions.await;
        if let Some(sessions) = &sessions {
            self.scenario_steps(&ledger, sessions).await;
        } else {
            self.skip(
                &self.plan.scenario.steps,
                "the clusters could not be prepared",
            );
        }
        let clean_up = CleanUp {
            run: &self.plan.run,
            directory: self.directory,
            ledger: &ledger,
            clusters: &clusters,
            sessions: sessions.unwrap_or_default(),
            stop: &self.stop,
            events: &self.events,
        };
        clean_up.run().await
    }

    /// Reaches every cluster and begins the ledger, which names them.
    async fn reach(
        &self,
        clusters: impl Future<Output = Result<Vec<Resolved>, Failure>>,
    ) -> Option<(Ledger, Vec<connect::Reached>)> {
        let scenario_roles: Vec<Role> = self.plan.scenario.clusters.keys().cloned().collect();
        let reached = self.step(CLUSTERS, &scenario_roles, async {
            let reached = connect::reach(&self.plan.scenario, clusters.await?).await?;
            let ledger = connect::begin_ledger(&self.plan.run, self.directory, &reached)?;
            Ok((ledger, reached))
        });
        let reached = reached.await;
        match &reached {
            Some((_, clusters)) => clusters
                .iter()
                .for_each(|cluster| self.events.send(cluster.event())),
            None => self.skip(
                &self.plan.scenario.steps,
                "the clusters could not be reached",
            ),
        }
        reached
    }

    async fn scenario_steps(&self, ledger: &Ledger, sessions: &Sessions) {
        let mut carried = Carried::default();
        let mut steps = self.plan.scenario.steps.iter();
        while let Some(step) = steps.next() {
            let bench = Bench {
                plan: &self.plan,
                ledger,
                sessions,
                events: &self.events,
                step: &step.id,
            };
            let work = async {
                steps::run(&bench, step, &mut carried)
                    .await
                    .map_err(Failure::from)
            };
            if self.step(&step.id, &step.roles, work).await.is_none() {
                self.skip(steps.as_slice(), &format!("`{}` did not complete", step.id));
                return;
            }
        }
    }

    /// Runs one step between its two events; `None` when it failed or the user asked to stop.
    async fn step<T>(
        &self,
        id: &str,
        roles: &[Role],
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Option<T> {
        self.events.send(EventKind::StepStarted {
            step: id.to_owned(),
            roles: roles.to_vec(),
        });
        let began = Instant::now();
        let ended = tokio::select! {
            biased;
            () = self.stop.orderly.cancelled() => Err(ConnectError::Interrupted.into()),
            ended = work => ended,
        };
        let (result, outcome) = match ended {
            Ok(result) => (Some(result), StepOutcome::Completed),
            Err(error) => (
                None,
                StepOutcome::Error {
                    message: causes::one_line(error.as_ref()),
                },
            ),
        };
        self.events.send(EventKind::StepFinished {
            step: id.to_owned(),
            elapsed_ms: milliseconds(began),
            outcome,
        });
        result
    }

    fn skip(&self, steps: &[Step], reason: &str) {
        for step in steps {
            let outcome = StepOutcome::Skipped {
                reason: reason.to_owned(),
            };
            self.events.send(EventKind::StepFinished {
                step: step.id.clone(),
                elapsed_ms: 0,
                outcome,
            });
        }
    }
}

fn roles(clusters: &[connect::Reached]) -> Vec<Role> {
    clusters
        .iter()
        .map(|cluster| cluster.cluster.role().clone())
        .collect()
}

pub(super) fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
