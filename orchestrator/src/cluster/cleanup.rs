//! Removing what a run created and nothing else.
//!
//! Every round looks at each object anew and does what is left to do, so that a lost answer, a conflict or an API server
//! that is away for a moment needs no special case, and cleaning up twice is the same as once.
//! Finalizers of others are never removed.

mod begin;
mod delete;
mod pods;
mod round;

use super::connect::Cluster;
use super::data_plane;
use super::object::ObjectId;
use crate::ledger::{Ledger, Outstanding};
pub use begin::begin_cleanup;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use portproof_proto::names;
use round::{Fate, Item, Round};
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(100);
/// How long data planes of deleted Gateways are waited for; they may drain for minutes, and end without us.
const DRAIN: Duration = Duration::from_secs(20);

/// What cleaning up came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanupReport {
    /// Objects of the run that are gone now.
    pub removed: u32,
    /// Objects of the run that should be gone and are not.
    pub left: Vec<Left>,
    /// Objects that stay on purpose: the run did not create them, or others use them.
    pub kept: Vec<Left>,
    /// Data planes of deleted Gateways that are ending by themselves and have not ended yet.
    pub draining: Vec<String>,
}

/// An object that is still there, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The object.
    pub object: ObjectId,
    /// Why it is still there.
    pub reason: String,
}

/// Removes the objects of a run from one cluster, the youngest first, and waits until they are gone.
///
/// An object is removed only when its UID is the recorded one and it still carries the label of the run. A definition
/// of custom resources, which is carried unmodified and so has no label, is removed when its UID is the recorded one and
/// nobody outside the run's namespace uses it. An object without a recorded UID is looked up by name and label.
///
/// Pods that a Gateway implementation runs elsewhere for a deleted Gateway are waited for too, for a bounded time.
pub async fn cleanup(
    cluster: &Cluster,
    run: &str,
    outstanding: Vec<Outstanding>,
    ledger: Option<&Ledger>,
    deadline: Duration,
) -> CleanupReport {
    let namespace = names::run_namespace(run);
    let mut round = Round {
        cluster,
        run,
        namespace: &namespace,
        items: in_order(outstanding),
    };
    let until_done = async {
        while !round.play().await {
            tokio::time::sleep(PAUSE).await;
        }
    };
    // What is unfinished when time is up stays in the items.
    let _ = tokio::time::timeout(deadline, until_done).await;
    let items = round.items;
    record(cluster, ledger, &items);
    let mut report = report(cluster, &items, deadline).await;
    if items.iter().any(Item::is_removed_namespace) {
        let remains = data_plane::gone(cluster, &namespace, DRAIN.min(deadline)).await;
        report.draining = remains.draining;
        report.left.extend(remains.left);
    }
    report
}

/// Keeps the order within each class: custom resources and all else, then definitions, then namespaces.
fn in_order(outstanding: Vec<Outstanding>) -> Vec<Item> {
    let mut items: Vec<Item> = outstanding.into_iter().map(Item::new).collect();
    items.sort_by_key(|item| (item.object.is_namespace(), item.object.is_definition()));
    items
}

fn record(cluster: &Cluster, ledger: Option<&Ledger>, items: &[Item]) {
    let Some(ledger) = ledger else { return };
    let gone = items.iter().filter(|item| item.is_gone());
    for item in gone {
        if let Err(error) = ledger.removed(cluster.uid(), &item.object) {
            // The next clean-up finds it gone and says so again: nothing is lost.
            tracing::warn!(%error, object = %item.object, "the ledger did not take a removal");
        }
    }
}

async fn report(cluster: &Cluster, items: &[Item], deadline: Duration) -> CleanupReport {
    let mut report = CleanupReport::default();
    for item in items {
        let object = item.object.clone();
        match &item.fate {
            Fate::Removed => report.removed += 1,
            Fate::Kept(reason) | Fate::Replaced(reason) => report.kept.push(Left {
                object,
                reason: reason.clone(),
            }),
            Fate::Open if item.goes_with_namespace(items) => {}
            Fate::Open => {
                let reason = why_open(cluster, item, deadline).await;
                report.left.push(Left { object, reason });
            }
            Fate::Left(reason) => report.left.push(Left {
                object,
                reason: reason.clone(),
            }),
        }
    }
    report
}

async fn why_open(cluster: &Cluster, item: &Item, deadline: Duration) -> String {
    let waited = format!("not gone after {} s", deadline.as_secs());
    let detail = match &item.trouble {
        Some(trouble) => Some(trouble.clone()),
        None if item.object.is_namespace() => conditions(cluster, &item.object.name).await,
        None => None,
    };
    match detail {
        Some(detail) => format!("{waited}: {detail}"),
        None => waited,
    }
}

/// What holds a namespace, as its conditions say.
async fn conditions(cluster: &Cluster, name: &str) -> Option<String> {
    let api: Api<Namespace> = Api::all(cluster.client());
    let namespace = cluster.call("read a namespace", api.get(name)).await.ok()?;
    let conditions = namespace.status?.conditions.unwrap_or_default();
    let held: Vec<String> = conditions
        .into_iter()
        .filter(|condition| condition.status == "True")
        .map(|it| format!("{}: {}", it.type_, it.message.unwrap_or_default()))
        .collect();
    (!held.is_empty()).then(|| held.join("; "))
}

#[cfg(test)]
mod tests;
