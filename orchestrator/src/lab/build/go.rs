//! Go programs, and files out of Go modules.

use super::catalog::GoPrograms;
use super::patch::{Patch, copy_module};
use super::workplace::Workplace;
use super::{BuildError, shell::Log};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds all programs of a module at once, so that both cores stay busy while the linker works.
pub(super) fn build(
    programs: &GoPrograms,
    patch: Option<&Patch>,
    work: &Workplace,
) -> Result<(), BuildError> {
    if let Some(patch) = patch {
        replace_module(patch, work)?;
    }
    fs_err::create_dir_all(work.bin())?;
    let mut command = go(work, &["build", "-trimpath", "-buildvcs=false"]);
    command
        .env("CGO_ENABLED", if programs.cgo { "1" } else { "0" })
        .args(["-tags", programs.tags, "-ldflags", programs.ldflags, "-o"])
        .arg(format!("{}/", work.bin().display()))
        .args(programs.programs.iter().map(|(_, package)| package));
    work.log.run(&mut command)?;
    rename_all(programs, &work.bin())
}

/// Downloads one module of the pinning module's list, checked against its `go.sum`, and returns where it lies.
pub(super) fn download(module: &str, work: &Workplace) -> Result<PathBuf, BuildError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Downloaded {
        dir: PathBuf,
    }
    let Log { path, .. } = &work.log;
    let answer = work
        .log
        .read(&mut go(work, &["mod", "download", "-json", module]))?;
    let downloaded: Downloaded =
        serde_json::from_slice(&answer).map_err(|source| BuildError::Description {
            path: path.clone(),
            source,
        })?;
    Ok(downloaded.dir)
}

/// Builds from a changed copy: Go refuses to overlay files in its module cache.
fn replace_module(patch: &Patch, work: &Workplace) -> Result<(), BuildError> {
    let copy = work.scratch("changed");
    copy_module(&download(patch.module, work)?, &copy)?;
    patch.apply(&copy)?;
    let replacement = format!("-replace={}={}", patch.module, copy.display());
    work.log.run(&mut go(work, &["mod", "edit", &replacement]))
}

fn go(work: &Workplace, arguments: &[&str]) -> Command {
    let mut command = Command::new("go");
    command.args(arguments).current_dir(&work.module);
    command.envs(
        work.environment
            .iter()
            .map(|(name, value)| (*name, value.as_str())),
    );
    command
}

fn rename_all(programs: &GoPrograms, bin: &Path) -> Result<(), BuildError> {
    for (name, package) in programs.programs {
        let built = default_name(package);
        if built != *name {
            fs_err::rename(bin.join(built), bin.join(name))?;
        }
    }
    Ok(())
}

/// The name that Go gives a program: the last part of its package that is not a major version.
fn default_name(package: &str) -> &str {
    let is_version = |part: &str| {
        part.strip_prefix('v')
            .is_some_and(|rest| rest.parse::<u32>().is_ok())
    };
    package
        .rsplit('/')
        .find(|part| !is_version(part))
        .unwrap_or(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_named_as_go_names_them() {
        assert_eq!(default_name("go.etcd.io/etcd/server/v3"), "server");
        assert_eq!(
            default_name("github.com/containerd/containerd/v2/cmd/ctr"),
            "ctr"
        );
        assert_eq!(default_name("github.com/coredns/coredns"), "coredns");
        assert_eq!(default_name("gvisor.dev/gvisor/shim"), "shim");
    }
}
