//! One run: the dispatcher that writes every event, the executor that drives the steps, and what is left on disk.

pub mod directory;
pub mod dispatcher;
pub mod event;
pub mod id;
pub mod log;
