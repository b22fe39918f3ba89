//! The end of a run, on every cluster side by side: the control agent takes its part of the stack down, then everything
//! the ledger names goes. Without an answer of the agent the ledger does all of it.

use super::connect::Reached;
use super::directory::RunDirectory;
use super::dispatcher::{EventSender, Stop};
use super::event::EventKind;
use super::executor::milliseconds;
use super::id::RunId;
use super::session::{Session, Sessions};
use crate::causes;
use crate::cluster::{self, CleanupReport, Cluster};
use crate::ledger::{self, Ledger, LedgerError, Outstanding};
use crate::verify::Role;
use futures::future::join_all;
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_mins(1);
/// What the agent gets; the ledger does whatever is left by then.
const TEARDOWN_DEADLINE: Duration = Duration::from_secs(15);
/// Objects that are named one by one when clean-up was cut short.
const NAMED: usize = 4;

/// What clean-up did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cleaned {
    /// Objects of the ledger that are gone.
    pub removed: u32,
    /// Objects that the control agents removed before.
    pub by_agent: u32,
    /// What is left, by cluster.
    pub left: Vec<String>,
    /// Data planes that are ending by themselves.
    pub draining: Vec<String>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

/// The end of one run.
pub(super) struct CleanUp<'a> {
    pub run: &'a RunId,
    pub directory: &'a RunDirectory,
    pub ledger: &'a Ledger,
    pub clusters: &'a [Reached],
    /// The control agents, as far as the run came to speak to them.
    pub sessions: Sessions,
    pub stop: &'a Stop,
    pub events: &'a EventSender,
}

impl CleanUp<'_> {
    /// Cleans up, unless the user asked to end at once; then it says what may be left.
    pub(super) async fn run(mut self) -> Cleaned {
        let began = Instant::now();
        self.events.send(EventKind::CleanupStarted);
        let mut sessions = std::mem::take(&mut self.sessions);
        let all = self.clusters.iter().map(|it| {
            let session = sessions.remove(it.cluster.role());
            self.clean(&it.cluster, session)
        });
        let cleaned = tokio::select! {
            biased;
            () = self.stop.at_once.cancelled() => {
                self.clusters.iter().map(|it| self.cut_short(&it.cluster)).collect()
            }
            cleaned = join_all(all) => cleaned,
        };
        let cleaned = cleaned
            .into_iter()
            .fold(Cleaned::default(), Cleaned::joined);
        self.events.send(EventKind::CleanupFinished {
            removed: cleaned.removed,
            by_agent: cleaned.by_agent,
            left: cleaned.left.clone(),
            draining: cleaned.draining.clone(),
            notes: cleaned.notes.clone(),
            elapsed_ms: milliseconds(began),
        });
        cleaned
    }

    async fn clean(&self, cluster: &Cluster, session: Option<Session>) -> Cleaned {
        let role = cluster.role();
        let by_agent = match session {
            Some(session) => {
                // What the agent does not come to, its namespace takes along while the agent is still at it.
                if let Ok(outstanding) = self.outstanding(cluster) {
                    cluster::begin_cleanup(cluster, self.run.as_str(), &outstanding).await;
                }
                teardown(session, TEARDOWN_DEADLINE).await
            }
            None => Cleaned::default(),
        };
        let by_ledger = match self.outstanding(cluster) {
            Ok(outstanding) => {
                let run = self.run.as_str();
                let ledger = Some(self.ledger);
                let report = cluster::cleanup(cluster, run, outstanding, ledger, DEADLINE).await;
                Cleaned::of(role, &report)
            }
            Err(error) => unreadable(role, &error),
        };
        by_agent.joined(by_ledger)
    }

    fn outstanding(&self, cluster: &Cluster) -> Result<Vec<Outstanding>, LedgerError> {
        let record = ledger::read(&self.directory.ledger())?;
        Ok(record.outstanding(cluster.uid()))
    }

    /// What may be left on a cluster when there is no time to remove it.
    fn cut_short(&self, cluster: &Cluster) -> Cleaned {
        let role = cluster.role();
        let outstanding = match self.outstanding(cluster) {
            Ok(outstanding) => outstanding,
            Err(error) => return unreadable(role, &error),
        };
        // What is in a namespace goes and stays with it; only what stands by itself is named.
        let alone: Vec<String> = outstanding
            .iter()
            .filter(|it| it.object.namespace.is_none())
            .map(|it| it.object.to_string())
            .collect();
        let mut left = Cleaned::default();
        if !outstanding.is_empty() {
            left.left.push(format!(
                "{role}: clean-up was cut short, {} objects may be left: {}",
                outstanding.len(),
                first(&alone)
            ));
        }
        left
    }
}

fn first(names: &[String]) -> String {
    match names.get(..NAMED) {
        Some(some) if some.len() < names.len() => {
            format!("{} and {} more", some.join(", "), names.len() - NAMED)
        }
        _ => names.join(", "),
    }
}

/// The agent's part. That it does not answer is no trouble: the ledger knows enough.
///
/// The session ends with it: an agent that is told to stop waits for those who still listen to it.
async fn teardown(session: Session, deadline: Duration) -> Cleaned {
    let role = &session.role;
    match session.agent.teardown(deadline).await {
        Ok(report) => Cleaned {
            by_agent: report.removed,
            notes: report
                .kept
                .iter()
                .map(|kept| format!("{role}: the control agent kept {kept}"))
                .collect(),
            ..Cleaned::default()
        },
        Err(error) => Cleaned {
            notes: vec![format!(
                "{role}: the control agent did not take its part down, the ledger alone did it: {}",
                causes::one_line(&error)
            )],
            ..Cleaned::default()
        },
    }
}

fn unreadable(role: &Role, error: &LedgerError) -> Cleaned {
    Cleaned {
        left: vec![format!(
            "{role}: unknown, the ledger cannot be read: {}",
            causes::one_line(error)
        )],
        ..Cleaned::default()
    }
}

impl Cleaned {
    fn of(role: &Role, report: &CleanupReport) -> Self {
        let left = report.left.iter();
        let kept = report.kept.iter();
        Self {
            removed: report.removed,
            by_agent: 0,
            left: left
                .map(|left| format!("{role}: {} ({})", left.object, left.reason))
                .collect(),
            draining: report
                .draining
                .iter()
                .map(|pod| format!("{role}: {pod}"))
                .collect(),
            notes: kept
                .map(|kept| format!("{role}: kept {}: {}", kept.object, kept.reason))
                .collect(),
        }
    }

    fn joined(mut self, other: Self) -> Self {
        self.removed += other.removed;
        self.by_agent += other.by_agent;
        self.left.extend(other.left);
        self.draining.extend(other.draining);
        self.notes.extend(other.notes);
        self
    }
}

#[cfg(test)]
mod tests;
