//! Container images without a container engine or a registry.
//!
//! [`layout`] writes one image as one tar file that is an OCI image layout and a `docker save` archive at the same
//! time, so containerd, kind and Docker all load it. The bytes depend on nothing but the inputs: entries are sorted,
//! times and owners are zero. On top of it stand the images of the lab: [`agent_stack`] and [`components`].

pub mod agent_stack;
pub mod components;
pub mod debian;
pub mod elf;
pub mod layer;
pub mod layout;
pub mod python;

mod error;

pub use agent_stack::agent_stack;
pub use components::{LabImages, lab_images};
pub use error::ImageError;
pub use layer::Layer;
pub use layout::{Image, ImageRef, Tag};
