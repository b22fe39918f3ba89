//! The events of a run: the one source of truth that every report is rendered from.

use crate::verify::{CheckResult, Role};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the event log format.
pub const FORMAT: u32 = 1;

/// One line of the event log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counts from 1 without gaps.
    pub seq: u64,
    /// Wall clock, UTC.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The run began.
    RunStarted {
        /// [`FORMAT`].
        format: u32,
        /// Id of the run.
        run_id: String,
        /// Version of portproof.
        version: String,
        /// Name of the scenario.
        scenario: String,
        /// What the scenario says it proves.
        description: String,
        /// Digest of the scenario file.
        scenario_digest: String,
        /// Deviations put in on purpose; a run with any is a rehearsal of a failure.
        faults: Vec<String>,
    },
    /// A cluster was reached and its identity fixed.
    ClusterResolved {
        /// Role in the scenario.
        role: Role,
        /// UID of the `kube-system` namespace.
        uid: String,
        /// Version of the API server.
        kubernetes: String,
        /// Where the cluster comes from, for example `lab`.
        provider: String,
        /// GatewayClass the stack uses there.
        gateway_class: String,
    },
    /// A step began.
    StepStarted {
        /// Id of the step.
        step: String,
        /// Roles it runs on.
        roles: Vec<Role>,
    },
    /// Something worth a line happened inside a step.
    StepProgress {
        /// Id of the step.
        step: String,
        /// Role, where it speaks of one cluster.
        role: Option<Role>,
        /// For people.
        message: String,
    },
    /// A check reached its verdict.
    CheckFinished {
        /// Id of the step it belongs to.
        step: String,
        /// The verdict.
        check: Box<CheckResult>,
    },
    /// A step ended.
    StepFinished {
        /// Id of the step.
        step: String,
        /// Time it took, in milliseconds.
        elapsed_ms: u64,
        /// How it ended.
        outcome: StepOutcome,
    },
    /// The user asked to stop.
    Interrupted {
        /// The signal, `SIGINT` or `SIGTERM`.
        signal: String,
    },
    /// Clean-up began.
    CleanupStarted,
    /// Clean-up ended.
    CleanupFinished {
        /// Objects of the ledger removed.
        removed: u32,
        /// Objects that the control agents had removed before.
        #[serde(default)]
        by_agent: u32,
        /// What is left, as `role: kind name`; empty when nothing is.
        left: Vec<String>,
        /// Data planes of deleted Gateways that are ending by themselves, as `role: kind name`.
        #[serde(default)]
        draining: Vec<String>,
        /// What else is worth knowing, for people.
        #[serde(default)]
        notes: Vec<String>,
        /// Time it took, in milliseconds.
        elapsed_ms: u64,
    },
    /// The run ended.
    RunFinished {
        /// Exit code of the process.
        exit_code: u8,
        /// Time it took, in milliseconds.
        elapsed_ms: u64,
    },
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum StepOutcome {
    /// All of it ran; its checks say what was found.
    Completed,
    /// The infrastructure failed.
    Error {
        /// What failed, as a chain of causes.
        message: String,
    },
    /// It was not started.
    Skipped {
        /// Why not.
        reason: String,
    },
}
