//! One run: the dispatcher that writes every event, the executor that drives the steps, and what is left on disk.

mod carried;
mod cleanup;
mod connect;
pub mod directory;
pub mod dispatcher;
pub mod event;
mod executor;
pub mod id;
pub mod log;
mod plan;
mod session;
mod steps;
mod trace_id;
