//! The rules: evidence in, verdict out. Pure: no Kubernetes client, no IO, no clock.
//!
//! One module per check family. A family has the same name under `scenarios/` (the stack that must pass) and
//! `scenarios/broken/` (the stacks that must fail).

#[cfg(test)]
mod attacks;
pub mod catalogue;
pub mod egress;
pub mod evidence;
pub mod gateway;
mod measure;
pub mod portability;
pub mod sandbox;
pub mod traces;
mod verdict;

pub use verdict::{CheckResult, EvidenceClass, Fact, InvalidRole, Level, Role, Verdict};
