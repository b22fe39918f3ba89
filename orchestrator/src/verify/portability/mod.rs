//! Family `portability`: the carry changed nothing, and the carried tools do on the target what they did on the source.

mod difference;
mod import_identical;
mod output_consistent;
mod tools_discovered;

pub use difference::{Difference, differences};
pub use import_identical::import_identical;
pub use output_consistent::{OutputGoal, output_consistent};
pub use tools_discovered::tools_discovered;

#[cfg(test)]
pub(crate) mod fixture;
