//! `Provision`: from a stack specification to objects, and from objects to a stack that answers.

mod access;
mod apply;
mod metadata;
mod objects;
mod plan;
mod policy;
mod ready;
mod route;
mod workload;

pub(crate) use apply::{StackError, Stage, deadline, object_ref, provision};
pub(crate) use metadata::{COMPONENT, COMPONENT_LABEL};
pub(crate) use plan::{Faults, PlanError, check_split};
pub(crate) use ready::address as gateway_address;
pub(crate) use route::{FAULTS_ANNOTATION, SPLIT_ANNOTATION, STABLE_FIRST};

#[cfg(test)]
mod tests;
