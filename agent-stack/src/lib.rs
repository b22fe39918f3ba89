//! The reference stack: every part of it, so that one binary can be any of them and tests can run all in one process.

pub mod agent;
