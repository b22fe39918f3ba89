//! Family `gateway`: traffic splits and rollbacks, judged from what clients and backends saw.
//!
//! Balancers are random, deterministic or hashing, so the intervals used here may only err on the wide side, and answers
//! that stick to connections are noticed before any share is believed.

mod canary_weight;
mod connections;
mod interval;
mod rollback;
mod traffic;

pub use canary_weight::{WeightGoal, canary_weight};
pub use interval::{Interval, upper_bound_of_none, wilson};
pub use rollback::{CONFIRMATIONS, RollbackGoal, rollback};

#[cfg(test)]
pub(crate) mod fixture;
