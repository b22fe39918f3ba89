//! The lab's components, built once from pinned Go modules and kept outside the repository.
//!
//! [`catalog`] says what there is; `store` gives each component a directory named by the digest of everything that
//! goes into it; `go`, `cc`, `files` and `wheel` make what is missing. A component appears under its name only
//! when it is complete, so an interrupted build goes on where it stopped.

pub mod catalog;

mod cc;
mod component;
mod components;
mod error;
mod files;
mod go;
mod patch;
mod plan;
mod requirements;
mod shell;
mod store;
mod toolchain;
mod wheel;
mod workplace;

pub use components::{Built, Components};
pub use error::BuildError;
pub use plan::{BuildOptions, cache_directory};

use crate::progress::Progress;
use catalog::{Component, Recipe};
use plan::{Part, Plan};
use std::time::Instant;
use store::Store;
use toolchain::Toolchain;

/// Builds what is missing and returns all components.
///
/// One component is built at a time; the Go caches are removed when nothing is missing any more.
///
/// # Errors
/// [`BuildError`]: a tool is missing or too old, the disk is too full, or a build failed. What was built before is kept.
pub fn build(options: &BuildOptions, progress: &dyn Progress) -> Result<Components, BuildError> {
    let toolchain = Toolchain::find()?;
    let store = Store::new(&options.cache);
    if Plan::new(options, &store, &toolchain)?.is_complete() {
        return find(options);
    }
    let _lock = store.lock(progress)?;
    // Another build may have made everything while this one waited.
    let plan = Plan::new(options, &store, &toolchain)?;
    requirements::check(&plan, &store)?;
    announce(&plan, &store, progress)?;
    make_all(&plan, &store, &toolchain, progress)?;
    if !options.keep_caches {
        store.remove_go_caches()?;
    }
    find(options)
}

/// Returns the components that are already built, without building any.
///
/// # Errors
/// [`BuildError::NotBuilt`] when a component that `options` ask for is missing.
pub fn find(options: &BuildOptions) -> Result<Components, BuildError> {
    let toolchain = Toolchain::find()?;
    let store = Store::new(&options.cache);
    let plan = Plan::new(options, &store, &toolchain)?;
    store.components(&plan.parts)
}

fn announce(plan: &Plan, store: &Store, progress: &dyn Progress) -> Result<(), BuildError> {
    let missing = plan.missing();
    let names: Vec<&str> = missing.iter().map(|part| part.component.name).collect();
    progress.note(&format!(
        "{} of {} components to build, about {} min on two cores: {}",
        missing.len(),
        plan.parts.len(),
        plan::minutes(&missing),
        names.join(", ")
    ));
    let (needed, free) = (
        requirements::needed_mib(plan, store)?,
        requirements::free_mib(store)?,
    );
    progress.note(&format!(
        "needs {} of disk while it builds; {} are free",
        requirements::gib(needed),
        requirements::gib(free)
    ));
    Ok(())
}

fn make_all(
    plan: &Plan,
    store: &Store,
    toolchain: &Toolchain,
    progress: &dyn Progress,
) -> Result<(), BuildError> {
    let missing = plan.missing();
    for (number, part) in missing.iter().enumerate() {
        let name = format!("{} {}", part.component.name, part.component.version);
        let start = Instant::now();
        progress.started(&name);
        make(part, store, toolchain)?;
        progress.finished(&name, start.elapsed());
        let ahead = &missing[number + 1..];
        if !ahead.is_empty() {
            progress.note(&format!(
                "{} more, about {} min",
                ahead.len(),
                plan::minutes(ahead)
            ));
        }
    }
    Ok(())
}

fn make(part: &Part, store: &Store, toolchain: &Toolchain) -> Result<(), BuildError> {
    let work = store.workplace(part)?;
    match &part.component.recipe {
        Recipe::Go(programs) => go::build(programs, part.patch, &work)?,
        Recipe::C(program) => cc::build(program, &work)?,
        Recipe::Files(files) => files::copy(files, &work)?,
        Recipe::Wheel(wheel) => wheel::fetch(wheel, &work)?,
    }
    work.publish(part, toolchain)
}

/// The component of this name.
fn component(name: &str) -> Result<&'static Component, BuildError> {
    catalog::COMPONENTS
        .iter()
        .find(|component| component.name == name)
        .ok_or_else(|| BuildError::Unknown {
            name: name.to_owned(),
        })
}
