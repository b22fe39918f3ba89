//! The Kubernetes API of one cluster. Nothing outside this room uses the Kubernetes client.

mod bootstrap;
mod cleanup;
mod connect;
mod create;
mod data_plane;
mod definition;
mod error;
#[cfg(test)]
pub(crate) mod fake;
mod find;
mod forward;
mod node;
mod object;
mod ownership;

pub use bootstrap::{
    Bootstrap, Reach, Secrets, UpstreamAccess, bootstrap, control_grants, control_rights,
    run_grants, run_rights,
};
pub use cleanup::{CleanupReport, Left, begin_cleanup, cleanup};
pub use connect::{Cluster, ClusterAccess};
pub use create::create;
pub use definition::{Carry, define};
pub use error::ClusterError;
pub use find::{FoundRun, find_runs};
pub use forward::dial_pod;
pub use node::node_kernel;
pub use object::{ObjectError, ObjectId};
