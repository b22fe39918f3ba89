//! One run: dispatcher, steps, event log.

pub mod event;
