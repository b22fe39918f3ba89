//! Proves that an agentic-AI stack moves from Kubernetes cluster A to cluster B unchanged, and that routing, sandbox
//! and traces still hold there.
//!
//! Calls go one way: `cli` → `run` → (`provider` | `transfer` | verify drivers) → (`cluster` | `rpc`) →
//! `portproof-proto`. `verify` and `scenario` are pure.

mod causes;
pub mod cli;
pub mod cluster;
pub mod exit;
pub mod lab;
pub mod ledger;
pub mod progress;
pub mod provider;
pub mod report;
pub mod rpc;
pub mod run;
pub mod scenario;
pub mod transfer;
pub mod verify;
