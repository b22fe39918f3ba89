//! Traffic: the split of the model route, and the load that measures it.

pub(crate) mod drive;
pub(crate) mod split;
pub(crate) mod weights;

mod connection;
mod outcome;
mod received;
