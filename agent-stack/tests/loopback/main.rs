//! The parts of the stack together, in one process on loopback, with fixtures in place of a cluster.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod bad_tasks;
mod counts;
mod interpreter;
mod interpreter_tool;
mod model;
mod one_process;
mod operations;
mod outside;
mod part;
mod process;
mod stack;
mod tasks;
mod upstream;
mod whole_stack;
