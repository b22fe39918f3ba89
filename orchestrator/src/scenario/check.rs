//! Semantic checks: everything the types cannot say. All problems are collected; the model is built only without any.

mod actions;
mod order;
mod stack;
mod steps;
mod upstream;
mod value;

use super::file::{API_VERSION, File, KIND};
use super::model::Scenario;
use super::place::Place;
use super::problem::Problem;
use crate::verify::Role;
use portproof_proto::canonical::Digest;
use std::collections::BTreeSet;
use std::path::Path;

/// Collects what is wrong.
#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, place: Place, what: impl Into<String>, help: impl Into<String>) {
        self.0.push(Problem {
            what: what.into(),
            place,
            help: Some(help.into()),
        });
    }
}

/// What every check may look at.
struct Context<'a> {
    /// Where relative paths begin.
    directory: &'a Path,
    roles: BTreeSet<Role>,
}

/// Checks the whole file.
pub(super) fn check(
    file: File,
    directory: &Path,
    digest: Digest,
) -> Result<Scenario, Vec<Problem>> {
    let File {
        api_version,
        kind,
        metadata,
        spec,
    } = file;
    let mut problems = Problems::default();
    value::expect(&api_version, API_VERSION, "apiVersion", &mut problems);
    value::expect(&kind, KIND, "kind", &mut problems);
    let name = value::name(&metadata.name, "a scenario", &mut problems);
    let description = value::text(&metadata.description, "a description", &mut problems);
    let clusters = stack::clusters(&spec.clusters, directory, &mut problems);
    let context = Context {
        directory,
        roles: clusters.keys().cloned().collect(),
    };
    let steps = steps::steps(&spec.steps, &context, &mut problems);
    let faults = stack::faults(&spec.faults, &context, &mut problems);
    let expect_failed = stack::expected(&spec.expect, &faults, &mut problems);
    let stack = stack::stack(&spec.stack, &context, &mut problems);
    // A step that could not be read would be missed by every step that needs it.
    if problems.0.is_empty() {
        order::check(&steps, &stack, &faults, &mut problems);
    }
    if !problems.0.is_empty() {
        return Err(problems.0);
    }
    let faults = faults.into_iter().map(|(fault, _)| fault).collect();
    let clusters = clusters
        .into_iter()
        .filter_map(|(role, source)| Some((role, source?)))
        .collect();
    let steps = steps.into_iter().map(|(step, _)| step).collect();
    Ok(Scenario {
        name,
        description,
        digest,
        clusters,
        allow_same_cluster: spec.allow_same_cluster,
        stack,
        faults,
        expect_failed,
        steps,
    })
}
