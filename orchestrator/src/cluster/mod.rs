//! The Kubernetes API of one cluster. Nothing outside this room uses the Kubernetes client.

mod cleanup;
mod connect;
mod create;
mod error;
#[cfg(test)]
mod fake;
mod find;
mod object;
mod ownership;

pub use cleanup::{CleanupReport, Left, cleanup};
pub use connect::{Cluster, ClusterAccess};
pub use create::create;
pub use error::ClusterError;
pub use find::{FoundRun, find_runs};
pub use object::{ObjectError, ObjectId};
