//! What is carried from cluster to cluster: fixtures that are seeded into the first, and the bundle on its way.

mod fixtures;
mod tamper;

pub use fixtures::{FixtureError, load as load_fixtures};
pub use tamper::change_a_tool;
