//! The rules: evidence in, verdict out. Pure: no Kubernetes client, no IO, no clock.
//!
//! One module per check family. A family has the same name under `scenarios/` (the stack that must pass) and
//! `scenarios/broken/` (the stacks that must fail).

pub mod evidence;
mod verdict;

pub use verdict::{CheckResult, EvidenceClass, Fact, InvalidRole, Level, Role, Verdict};
