//! What a node sees instead of the host's directories. Everything here happens in the node's own mount namespace;
//! no directory is made on the host outside the lab's own, so that nothing has to be removed there later.

use crate::lab::error::LabError;
use crate::lab::files;
use crate::lab::paths::NodePaths;
use rustix::mount::{MountFlags, mount, mount_bind, mount_bind_recursive, mount_move};
use std::fs;
use std::path::{Path, PathBuf};

/// Directories below `/var/lib` that each node has for itself.
const OWN_STATE: [&str; 3] = ["kubelet", "containerd", "kube-router"];

/// Settings of the whole machine that kubelet wants to change. A node has plain files in their place, so the change
/// stays in the node.
const MACHINE_SETTINGS: [&str; 6] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];

/// Sets up all mounts of the node.
///
/// # Errors
/// The kernel refuses one.
pub(super) fn set_up(paths: &NodePaths) -> Result<(), LabError> {
    mount_new("proc", Path::new("/proc"))?;
    hide_machine_settings(paths)?;
    hide_resolver(paths)?;
    replace_run()?;
    replace_logs(paths)?;
    replace_state(paths)
}

fn mount_new(kind: &str, target: &Path) -> Result<(), LabError> {
    mount(kind, target, kind, MountFlags::NOSUID, None)
        .map_err(|error| LabError::io("cannot mount", target)(error.into()))
}

fn bind(source: &Path, target: &Path) -> Result<(), LabError> {
    mount_bind(source, target)
        .map_err(|error| LabError::io("cannot mount over", target)(error.into()))
}

fn hide_machine_settings(paths: &NodePaths) -> Result<(), LabError> {
    let own = paths.private().join("sysctl");
    files::directory(&own)?;
    for name in MACHINE_SETTINGS {
        let setting = Path::new("/proc/sys").join(name);
        if let Ok(value) = fs::read(&setting) {
            let file = own.join(name.replace('/', "."));
            files::replace(&file, files::PLAIN, &value)?;
            bind(&file, &setting)?;
        }
    }
    Ok(())
}

/// Nothing on the node may ask the host's resolver. A host whose file is a link into `/run` loses it with `/run`.
fn hide_resolver(paths: &NodePaths) -> Result<(), LabError> {
    let Ok(resolver) = fs::canonicalize("/etc/resolv.conf") else {
        return Ok(());
    };
    let empty = paths.private().join("resolv.conf");
    files::replace(&empty, files::PLAIN, b"")?;
    bind(&empty, &resolver)
}

fn replace_run() -> Result<(), LabError> {
    let run = Path::new("/run");
    mount_new("tmpfs", run)?;
    files::directory(&run.join("lock"))?;
    files::directory(&run.join("tmp"))
}

fn replace_logs(paths: &NodePaths) -> Result<(), LabError> {
    let own = paths.var_log();
    files::directory(&own)?;
    bind(&own, Path::new("/var/log"))
}

/// Puts a copy of `/var/lib` in its place: the same entries, but for those the node has for itself. It is made aside
/// and moved there, because the lab's directory may itself be below `/var/lib`.
fn replace_state(paths: &NodePaths) -> Result<(), LabError> {
    let (state, aside) = (Path::new("/var/lib"), Path::new("/run/tmp/var-lib"));
    files::directory(aside)?;
    mount_new("tmpfs", aside)?;
    for entry in entries(state)? {
        mirror(&entry, aside)?;
    }
    for name in OWN_STATE {
        let (source, target) = (paths.private().join(name), aside.join(name));
        files::directory(&source)?;
        files::directory(&target)?;
        bind(&source, &target)?;
    }
    mount_move(aside, state).map_err(|error| LabError::io("cannot replace", state)(error.into()))
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, LabError> {
    let read = fs::read_dir(directory).map_err(LabError::io("cannot read", directory))?;
    let own = |path: &PathBuf| OWN_STATE.iter().any(|name| path.ends_with(name));
    Ok(read
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| !own(path))
        .collect())
}

fn mirror(entry: &Path, aside: &Path) -> Result<(), LabError> {
    let Some(name) = entry.file_name() else {
        return Ok(());
    };
    let target = aside.join(name);
    let kind = fs::symlink_metadata(entry).map_err(LabError::io("cannot read", entry))?;
    if let Ok(link) = fs::read_link(entry) {
        return std::os::unix::fs::symlink(link, &target)
            .map_err(LabError::io("cannot link", &target));
    }
    if kind.is_dir() {
        files::directory(&target)?;
    } else {
        files::replace(&target, files::PLAIN, b"")?;
    }
    mount_bind_recursive(entry, &target)
        .map_err(|error| LabError::io("cannot mount over", &target)(error.into()))
}
