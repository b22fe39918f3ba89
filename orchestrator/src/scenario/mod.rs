//! Scenario files: strict YAML with places, checked into a model that the run can trust. Pure: reads text, never files.
//!
//! A file goes through two stages. [`file`] is what may be written, member by member, with the place of each value;
//! [`check`] looks at all of it, collects every problem, and builds the [`model`] only when there is none.

mod check;
mod file;
mod model;
mod place;
mod problem;
mod schema;
mod syntax;

pub use model::{
    Action, CanaryPlan, ClusterSource, Fault, KeySource, LabGateway, PlannedFault, RollbackPlan,
    Scenario, Stack, Step, Task, Upstream,
};
pub use problem::{Problem, ScenarioError};
pub use schema::schema;

use portproof_proto::canonical::Digest;
use std::path::Path;

/// Reads and checks the scenario `text` that stands at `path`; relative paths in it are taken from where it stands.
///
/// # Errors
/// [`ScenarioError`] with every problem found; see [`ScenarioError::render`] for people.
pub fn load(path: &Path, text: &str) -> Result<Scenario, ScenarioError> {
    let file: file::File = match serde_saphyr::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            return Err(ScenarioError::new(
                path,
                text,
                vec![syntax::problem(&error, text)],
            ));
        }
    };
    let directory = path.parent().unwrap_or(Path::new(""));
    check::check(file, directory, Digest::of_bytes(text.as_bytes()))
        .map_err(|problems| ScenarioError::new(path, text, problems))
}

#[cfg(test)]
mod tests;
