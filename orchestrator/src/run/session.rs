//! One cluster of a run, connected: its identity, its control agent, the spans it relays.

use crate::cluster::Cluster;
use crate::rpc::{AgentClient, Relay};
use crate::verify::Role;
use std::collections::BTreeMap;

/// A cluster that the run has bootstrapped.
pub(super) struct Session {
    pub role: Role,
    pub cluster: Cluster,
    pub agent: AgentClient,
    pub relay: Relay,
    pub gateway_class: String,
    pub image_pull_policy: String,
}

/// Every connected cluster, by role.
pub(super) type Sessions = BTreeMap<Role, Session>;
