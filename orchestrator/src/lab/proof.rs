//! When a cluster was last seen to work, so that a run soon after `lab up` need not look again.
//!
//! A look costs seconds, because it makes pods on the nodes. What it saw holds for a while, as long as the same processes
//! run with the same add-ons: not when a node was started anew or one of its components was.

use super::addons::AddonSpec;
use super::error::LabError;
use super::files;
use super::node::status::NodeStatus;
use super::paths::LabPaths;
use super::spec::ClusterSpec;
use super::state::LabState;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a look speaks of: whatever makes it void when it changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subject {
    addons: AddonSpec,
    nodes: Vec<SeenNode>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SeenNode {
    launch: Option<String>,
    status: Option<NodeStatus>,
}

/// What was seen to work, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Proof {
    at: Timestamp,
    subject: Subject,
}

impl Subject {
    /// The cluster as it is now.
    ///
    /// # Errors
    /// What a node tells about itself is damaged.
    pub(crate) fn now(
        cluster: &ClusterSpec,
        addons: &AddonSpec,
        state: &LabState,
        paths: &LabPaths,
    ) -> Result<Self, LabError> {
        let seen = |node: super::spec::NodeSpec| {
            Ok(SeenNode {
                launch: state.launches.get(&node.name).cloned(),
                status: NodeStatus::read(&paths.node(&node))?,
            })
        };
        Ok(Self {
            addons: addons.clone(),
            nodes: cluster
                .nodes()
                .into_iter()
                .map(seen)
                .collect::<Result<_, LabError>>()?,
        })
    }

    /// How long ago exactly this was seen to work, if that is not longer ago than `within`. A record that cannot be read
    /// is none.
    pub(crate) fn seen(
        &self,
        cluster: &ClusterSpec,
        paths: &LabPaths,
        within: Duration,
    ) -> Option<Duration> {
        let proof: Option<Proof> = files::read_json(&paths.proof(&cluster.role)).ok()?;
        proof
            .filter(|proof| proof.subject == *self)?
            .age(Timestamp::now())
            .filter(|age| *age <= within)
    }

    /// Keeps that it was seen to work just now.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn keep(self, cluster: &ClusterSpec, paths: &LabPaths) -> Result<(), LabError> {
        let proof = Proof {
            at: Timestamp::now(),
            subject: self,
        };
        files::replace_json(&paths.proof(&cluster.role), &proof)
    }
}

impl Proof {
    /// `None` when the clock says that it is still to come.
    fn age(&self, now: Timestamp) -> Option<Duration> {
        let age: SignedDuration = now.duration_since(self.at);
        age.try_into().ok()
    }
}

#[cfg(test)]
mod tests;
