//! What a build needs of the machine, checked before it begins.

use super::BuildError;
use super::catalog::Recipe;
use super::plan::{Part, Plan};
use super::store::Store;
use std::path::Path;
use std::process::{Command, Stdio};

/// Checks tools, libraries and disk for what is missing.
pub(super) fn check(plan: &Plan, store: &Store) -> Result<(), BuildError> {
    for part in plan.missing() {
        check_tools(part)?;
    }
    check_disk(plan, store)
}

fn check_tools(part: &Part) -> Result<(), BuildError> {
    let name = part.component.name;
    match &part.component.recipe {
        Recipe::Go(programs) if programs.cgo => {
            need(
                name,
                succeeds("gcc", &["--version"]),
                "a C compiler",
                "gcc libc6-dev",
            )?;
            need(
                name,
                succeeds("pkg-config", &["--version"]),
                "pkg-config",
                "pkg-config",
            )?;
            need(
                name,
                succeeds("pkg-config", &["--exists", "libseccomp"]),
                "libseccomp's headers",
                "libseccomp-dev",
            )
        }
        Recipe::C(_) => need(
            name,
            succeeds("gcc", &["--version"]),
            "a C compiler",
            "gcc libc6-dev",
        ),
        Recipe::Wheel(_) => {
            check_architecture(name)?;
            need(
                name,
                succeeds("python3", &["-m", "pip", "--version"]),
                "Python's pip",
                "python3-pip",
            )
        }
        Recipe::Go(_) | Recipe::Files(_) => Ok(()),
    }
}

fn check_architecture(component: &'static str) -> Result<(), BuildError> {
    match std::env::consts::ARCH {
        "x86_64" => Ok(()),
        found => Err(BuildError::Architecture { component, found }),
    }
}

fn need(
    component: &'static str,
    is_there: bool,
    what: &'static str,
    package: &'static str,
) -> Result<(), BuildError> {
    if is_there {
        Ok(())
    } else {
        Err(BuildError::Missing {
            component,
            what,
            package,
        })
    }
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let quiet = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

fn check_disk(plan: &Plan, store: &Store) -> Result<(), BuildError> {
    let (needed, free) = (needed_mib(plan, store)?, free_mib(store)?);
    if free >= needed {
        return Ok(());
    }
    Err(BuildError::Disk {
        path: store.cache().to_path_buf(),
        needed: gib(needed),
        free: gib(free),
    })
}

/// What the missing components take, less what an interrupted build has already put into the Go caches.
pub(super) fn needed_mib(plan: &Plan, store: &Store) -> Result<u64, BuildError> {
    let sizes: Vec<u64> = plan
        .missing()
        .iter()
        .map(|part| part.component.disk_mib)
        .collect();
    let total: u64 = sizes.iter().sum();
    let at_least = sizes.iter().max().unwrap_or(&0) / 4;
    Ok(total
        .saturating_sub(used_mib(&store.go_caches())?)
        .max(at_least))
}

fn used_mib(directory: &Path) -> Result<u64, BuildError> {
    fn bytes(directory: &Path) -> Result<u64, BuildError> {
        let mut sum = 0;
        for entry in fs_err::read_dir(directory)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            sum += if metadata.is_dir() {
                bytes(&entry.path())?
            } else {
                metadata.len()
            };
        }
        Ok(sum)
    }
    if directory.is_dir() {
        Ok(bytes(directory)? >> 20)
    } else {
        Ok(0)
    }
}

pub(super) fn free_mib(store: &Store) -> Result<u64, BuildError> {
    let disk = rustix::fs::statvfs(store.cache()).map_err(std::io::Error::from)?;
    Ok((disk.f_bavail * disk.f_frsize) >> 20)
}

/// A size for people.
pub(super) fn gib(mib: u64) -> String {
    let tenths = mib * 10 / 1024;
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_in_gib() {
        assert_eq!(gib(0), "0.0 GiB");
        assert_eq!(gib(1536), "1.5 GiB");
        assert_eq!(gib(20_480), "20.0 GiB");
    }

    #[test]
    fn a_missing_tool_names_the_package_that_brings_it() {
        let failed = need("runc", false, "a C compiler", "gcc libc6-dev").unwrap_err();
        assert_eq!(
            failed.hint().as_deref(),
            Some("apt-get install gcc libc6-dev")
        );
    }
}
