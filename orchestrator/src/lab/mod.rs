//! The embedded lab: real clusters as processes on one Linux machine.

pub mod addons;
pub mod build;
pub mod image;
