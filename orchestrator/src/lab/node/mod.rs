//! A node: one init in namespaces of its own that starts and supervises the node's components.
//!
//! The init is this same program, started as `lab-node-init` by `unshare`. It is process 1 of the node, so ending it
//! ends every process of the node, and the node's mounts, links and rules go with its namespaces.

pub(crate) mod config;
mod gate;
pub mod init;
mod mounts;
mod netns;
pub mod status;
mod supervisor;
