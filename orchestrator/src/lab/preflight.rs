//! Looks, before anything is made, whether the machine can carry a lab and nothing is in the way.

use super::cgroup::{self, Hierarchies};
use super::components::BINARIES;
use super::error::LabError;
use super::network::{self, LinkOwner};
use super::paths::LabPaths;
use super::spec::LabSpec;
use super::up::LabBinaries;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Programs the nodes use, and the Debian packages that have them.
const TOOLS: [(&str, &str); 8] = [
    ("nft", "nftables"),
    ("iptables", "iptables"),
    ("ipset", "ipset"),
    ("conntrack", "conntrack"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    ("setsid", "util-linux"),
];
/// Where programs of the operating system are.
const TOOL_DIRECTORIES: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// Namespaces a node has for itself, as `/proc/self/ns` calls them.
const NAMESPACES: [&str; 5] = ["pid", "mnt", "net", "uts", "ipc"];
/// cgroup controllers kubelet needs.
const CONTROLLERS: [&str; 4] = ["cpu", "cpuset", "memory", "pids"];
/// Disk a lab needs beside its binaries: unpacked images, databases, logs.
const DISK_MIB: u64 = 3_000;
/// inotify instances of a cluster with one node: API server, controller manager and kubelet have six each.
const INOTIFY_OF_CLUSTER: usize = 24;
/// inotify instances of each further node.
const INOTIFY_OF_NODE: usize = 10;
/// Number of `CAP_SYS_RESOURCE` (`capabilities(7)`).
const CAP_SYS_RESOURCE: u32 = 24;

/// Whether this process may lower an `oom_score_adj`; some machines keep even root from it.
pub(crate) fn may_lower_oom_score() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    has_capability(&status, CAP_SYS_RESOURCE)
}

fn has_capability(status: &str, number: u32) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    bits.is_some_and(|bits| bits & (1 << number) != 0)
}

/// Root, kernel features, programs of the operating system.
///
/// # Errors
/// What is missing, by name.
pub(crate) fn check_machine(hierarchies: &Hierarchies) -> Result<(), LabError> {
    if !rustix::process::geteuid().is_root() {
        return Err(LabError::NotRoot);
    }
    let features = missing_features(hierarchies);
    if !features.is_empty() {
        return Err(LabError::KernelFeatures { features });
    }
    let missing: Vec<_> = TOOLS
        .into_iter()
        .filter(|(tool, _)| !is_installed(tool))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<String> = missing
        .iter()
        .map(|(_, package)| (*package).to_owned())
        .collect();
    packages.dedup();
    Err(LabError::MissingTools {
        tools: missing.iter().map(|(tool, _)| (*tool).to_owned()).collect(),
        packages,
    })
}

fn is_installed(tool: &str) -> bool {
    TOOL_DIRECTORIES
        .iter()
        .any(|directory| Path::new(directory).join(tool).exists())
}

fn missing_features(hierarchies: &Hierarchies) -> Vec<String> {
    let namespaces = NAMESPACES
        .into_iter()
        .filter(|name| !Path::new("/proc/self/ns").join(name).exists())
        .map(|name| format!("{name} namespaces"));
    let controllers = cgroup::missing_controllers(hierarchies, &CONTROLLERS)
        .into_iter()
        .map(|name| format!("cgroup controller {name}"));
    namespaces
        .chain(controllers)
        .chain(missing_filesystems())
        .chain(missing_network())
        .collect()
}

fn missing_filesystems() -> Option<String> {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let has_overlay = known.lines().any(|line| line.ends_with("\toverlay"));
    (!has_overlay && !has_module("overlay")).then(|| "overlayfs (CONFIG_OVERLAY_FS)".to_owned())
}

/// Link types and nf_tables say nothing of themselves anywhere, so they are tried, in a network namespace that ends
/// with the try.
fn missing_network() -> Vec<String> {
    let tries = [
        ("ip link add probe0 type bridge", "bridges (CONFIG_BRIDGE)"),
        (
            "ip link add probe1 type veth peer name probe2",
            "veth links (CONFIG_VETH)",
        ),
        ("nft add table inet probe", "nf_tables (CONFIG_NF_TABLES)"),
    ];
    if !is_installed("ip") || !is_installed("nft") || !is_installed("unshare") {
        // The missing program is reported by its own name.
        return Vec::new();
    }
    let works = |command: &str| {
        let run = std::process::Command::new("unshare")
            .args(["--net", "sh", "-c", command])
            .output();
        run.is_ok_and(|output| output.status.success())
    };
    let missing = tries.into_iter().filter(|(command, _)| !works(command));
    missing.map(|(_, feature)| feature.to_owned()).collect()
}

fn has_module(name: &str) -> bool {
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    let index = Path::new("/lib/modules").join(release).join("modules.dep");
    let file = format!("/{name}.ko");
    fs::read_to_string(index).is_ok_and(|modules| modules.contains(&file))
}

/// Component binaries and image files.
///
/// # Errors
/// What is missing, by name.
pub(crate) fn check_files(binaries: &LabBinaries) -> Result<(), LabError> {
    let missing: Vec<String> = BINARIES
        .into_iter()
        .filter(|name| !binaries.directory.join(name).is_file())
        .map(str::to_owned)
        .collect();
    if !missing.is_empty() {
        return Err(LabError::MissingBinaries {
            directory: binaries.directory.clone(),
            names: missing,
        });
    }
    let mut tars = binaries.images.iter().map(|image| &image.image.tar);
    match tars.find(|tar| !tar.is_file()) {
        Some(tar) => Err(LabError::MissingImage { path: tar.clone() }),
        None => Ok(()),
    }
}

/// Links, subnet and cgroups of a lab that does not exist yet.
///
/// # Errors
/// What is taken, and by whom.
pub(crate) async fn check_names(
    spec: &LabSpec,
    paths: &LabPaths,
    hierarchies: &Hierarchies,
) -> Result<(), LabError> {
    let nodes = spec.nodes();
    let links = nodes
        .iter()
        .map(|node| spec.link(node))
        .chain([spec.bridge()]);
    for name in links {
        if network::owner(&name, paths) == LinkOwner::Other {
            return Err(LabError::LinkTaken { name });
        }
    }
    for node in &nodes {
        if let Some(path) = cgroup::existing(hierarchies, &spec.cgroup(node)) {
            return Err(LabError::CgroupTaken { path });
        }
    }
    network::check_subnet(spec).await
}

/// Whether the kernel gives the processes of further nodes enough inotify instances. All of root's count together.
///
/// # Errors
/// [`LabError::Inotify`].
pub(crate) fn check_inotify(clusters: usize, further_nodes: usize) -> Result<(), LabError> {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_user_instances");
    let Some(limit) = limit.ok().and_then(|text| text.trim().parse().ok()) else {
        // A kernel without inotify names it by other means.
        return Ok(());
    };
    let needed = clusters * INOTIFY_OF_CLUSTER + further_nodes * INOTIFY_OF_NODE;
    let free = usize::saturating_sub(limit, inotify_in_use());
    if needed > free {
        return Err(LabError::Inotify {
            needed,
            free,
            limit,
        });
    }
    Ok(())
}

fn inotify_in_use() -> usize {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let open = processes.filter_map(|process| fs::read_dir(process.path().join("fd")).ok());
    let files = open
        .flatten()
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok());
    files
        .filter(|target| target.as_os_str() == "anon_inode:inotify")
        .count()
}

/// Whether the lab's directory can be made, or the one that is there is a lab's.
///
/// # Errors
/// It holds something else, or its disk is full.
pub(crate) fn check_directory(paths: &LabPaths) -> Result<(), LabError> {
    check_place(paths.root())?;
    check_disk(paths.root())
}

/// Makes the lab's directory.
///
/// # Errors
/// As [`check_directory`], or it cannot be made.
pub(crate) fn claim_directory(paths: &LabPaths) -> Result<(), LabError> {
    check_directory(paths)?;
    let root = paths.root();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(root)
        .map_err(LabError::io("cannot make the directory", root))
}

/// A lab's directory has the lab's lock file from its first moment on.
fn check_place(root: &Path) -> Result<(), LabError> {
    let ours = root.join("lock").is_file();
    let taken = match fs::read_dir(root) {
        Ok(mut entries) => !ours && entries.next().is_some(),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    };
    let hidden_in_node = ["/run", "/proc", "/var/log", "/var/run"]
        .iter()
        .any(|hidden| root.starts_with(hidden));
    if taken || hidden_in_node || !root.is_absolute() {
        return Err(LabError::PathTaken {
            path: root.to_owned(),
        });
    }
    Ok(())
}

fn check_disk(root: &Path) -> Result<(), LabError> {
    let there = root
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("/"));
    let disk = rustix::fs::statvfs(there)
        .map_err(|error| LabError::io("cannot look at the disk of", there)(error.into()))?;
    let free_mib = disk.f_bavail * disk.f_frsize / (1024 * 1024);
    if free_mib < DISK_MIB {
        return Err(LabError::DiskFull {
            path: there.to_owned(),
            needed_mib: DISK_MIB,
            free_mib,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_is_read_from_its_bit() {
        assert!(has_capability(
            "CapEff:\t0000000001000000\n",
            CAP_SYS_RESOURCE
        ));
        assert!(!has_capability(
            "CapEff:\t000001fffeffffff\n",
            CAP_SYS_RESOURCE
        ));
        assert!(!has_capability("", CAP_SYS_RESOURCE));
    }

    #[test]
    fn an_inotify_instance_counts_while_it_is_open() {
        let init = || rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::CLOEXEC).unwrap();
        let held: Vec<_> = (0..3).map(|_| init()).collect();
        assert!(inotify_in_use() >= held.len());
        let impossible = check_inotify(1_000_000, 0).unwrap_err();
        assert!(impossible.hint().unwrap().contains("max_user_instances="));
    }

    #[test]
    fn a_directory_with_something_else_in_it_is_not_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        check_place(dir.path()).unwrap();
        check_place(&dir.path().join("new")).unwrap();
        fs::write(dir.path().join("diary.txt"), "mine").unwrap();
        assert!(matches!(
            check_place(dir.path()),
            Err(LabError::PathTaken { .. })
        ));
        fs::write(dir.path().join("lock"), "").unwrap();
        check_place(dir.path()).unwrap();
    }

    #[test]
    fn a_directory_that_nodes_could_not_see_is_refused() {
        assert!(check_place(Path::new("/run/lab")).is_err());
        assert!(check_place(Path::new("relative")).is_err());
    }

    #[test]
    fn missing_binaries_are_named() {
        let dir = tempfile::tempdir().unwrap();
        for name in BINARIES.iter().filter(|name| **name != "runsc") {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let binaries = LabBinaries {
            directory: dir.path().to_owned(),
            images: Vec::new(),
            pause_image: String::new(),
            addons: std::collections::BTreeMap::new(),
            seen_within: std::time::Duration::ZERO,
        };
        let error = check_files(&binaries).unwrap_err();
        assert!(matches!(error, LabError::MissingBinaries { names, .. } if names == ["runsc"]));
    }
}
