//! The command line as a person meets it: the real program, its output and its exit code.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod docs;
mod help;
mod lab_refusals;
mod program;
mod runs;
mod scenario_errors;
mod usage;
