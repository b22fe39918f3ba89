//! The embedded lab: real Kubernetes clusters as processes of one Linux machine.
//!
//! A cluster is one or more nodes; a node is an init of this program in namespaces of its own (see [`node`]) that
//! starts and supervises upstream components. Nothing of a lab is on the host but its directory, one bridge with the
//! nodes' links, and the nodes' cgroups; `lab down` removes all of it.

pub mod addons;
pub mod address;
pub mod api;
pub mod build;
mod cgroup;
mod cluster;
mod command;
mod components;
mod down;
mod error;
mod files;
pub mod image;
mod images;
mod kubeconfig;
mod network;
pub mod node;
pub mod paths;
mod pki;
mod preflight;
pub mod process;
mod proof;
mod raise;
pub mod spec;
pub mod state;
pub mod status;
mod up;
mod wait;

pub use down::down;
pub use error::LabError;
pub use images::load_image;
pub use raise::{Extent, LabMaterial, RaiseError, raise};
pub use status::status;
pub use up::{LabBinaries, NodeImage, check, up};
