//! Telemetry of the stack: received over OTLP, kept until the orchestrator holds it, relayed on its stream.

mod receiver;
mod relay;
mod spool;

pub(crate) use receiver::serve;
pub(crate) use relay::relay;
pub(crate) use spool::Spool;
