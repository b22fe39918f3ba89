//! What one step of a run leaves for the next.

use crate::verify::Role;
use crate::verify::evidence::{PartPod, TaskTranscript};
use portproof_proto::bundle::Bundle;
use std::collections::BTreeMap;

/// Results that later steps build on.
#[derive(Default)]
pub(super) struct Carried {
    /// The Tools the agents shall know: what was seeded, or what was exported since.
    pub source: Option<Bundle>,
    /// The pods of the stack when it was ready, by role.
    pub pods: BTreeMap<Role, Vec<PartPod>>,
    /// What the agents did, by role.
    pub transcripts: BTreeMap<Role, Vec<TaskTranscript>>,
    /// Weights (stable, canary) that the route serves now, by role.
    pub split: BTreeMap<Role, (u32, u32)>,
}
