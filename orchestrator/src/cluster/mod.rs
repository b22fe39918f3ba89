//! The Kubernetes API of one cluster. Nothing outside this room uses the Kubernetes client.

mod connect;
mod error;
mod object;

pub use connect::{Cluster, ClusterAccess};
pub use error::ClusterError;
pub use object::{ObjectError, ObjectId};
