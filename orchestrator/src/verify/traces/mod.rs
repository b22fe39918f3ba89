//! Family `traces`: one tree from the orchestrator's request to the process that ran the tool.

mod calls;
mod doubts;
mod finding;
mod plan_to_tool;
mod restarts;
mod structure;
mod tree;
mod waterfall;

pub use finding::{Bearing, Code, Finding};
pub use plan_to_tool::{TracedTask, is_complete, plan_to_tool};
pub use restarts::restarted;

#[cfg(test)]
pub(crate) mod fixture;
