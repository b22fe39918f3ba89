//! Each node's own cgroup, in cgroup v1 hierarchies and in the v2 one.
//!
//! Kubelets that share a cgroup root end each other's pods, so each gets a root of its own. The host's mounts are
//! only read.

use super::error::LabError;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The child cgroup with the node's own components; pods are beside it. In v2 a cgroup with children holds no process.
const COMPONENTS: &str = "components";
/// The files of the v1 `cpuset` controller that a new cgroup does not inherit.
const CPUSET_FILES: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];
/// Controllers kubelet wants, in v2 to be handed down from the root.
const V2_CONTROLLERS: [&str; 5] = ["cpu", "cpuset", "io", "memory", "pids"];

/// Where a cgroup hierarchy is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    pub(crate) mount: PathBuf,
    /// v1 controllers of the hierarchy; empty for v2.
    pub(crate) controllers: Vec<String>,
    v2: bool,
}

/// The cgroup hierarchies of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hierarchies {
    /// Those that nodes use: all of v1 when there is a v1 `memory` controller, else v2.
    used: Vec<Hierarchy>,
    /// v2 beside v1, without controllers. The lab makes nothing in it, but runc makes the pods' cgroups there too.
    bystanders: Vec<Hierarchy>,
}

impl Hierarchies {
    fn parse(mounts: &str) -> Self {
        let all: Vec<Hierarchy> = mounts.lines().filter_map(parse_mount).collect();
        let v1 = all.iter().any(|hierarchy| hierarchy.has("memory"));
        let (used, bystanders) = all.into_iter().partition(|hierarchy| hierarchy.v2 != v1);
        Self { used, bystanders }
    }

    fn all(&self) -> impl Iterator<Item = &Hierarchy> {
        self.used.iter().chain(&self.bystanders)
    }
}

impl Hierarchy {
    fn offers(&self, controller: &str) -> bool {
        let listed =
            || fs::read_to_string(self.mount.join("cgroup.controllers")).unwrap_or_default();
        self.has(controller)
            || (self.v2 && listed().split_whitespace().any(|name| name == controller))
    }

    /// Whether it is the v1 hierarchy of a controller.
    pub(crate) fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|name| name == controller)
    }
}

fn parse_mount(line: &str) -> Option<Hierarchy> {
    let mut fields = line.split(' ').skip(1);
    let (mount, kind, options) = (fields.next()?, fields.next()?, fields.next()?);
    let v2 = match kind {
        "cgroup" => false,
        "cgroup2" => true,
        _ => return None,
    };
    let controllers = options.split(',').filter(|_| !v2).map(str::to_owned);
    Some(Hierarchy {
        mount: PathBuf::from(mount),
        controllers: controllers.collect(),
        v2,
    })
}

/// The host's hierarchies of this moment.
///
/// # Errors
/// There is no `/proc`.
pub(crate) fn of_host() -> Result<Hierarchies, LabError> {
    let path = Path::new("/proc/mounts");
    let mounts = fs::read_to_string(path).map_err(LabError::io("cannot read", path))?;
    Ok(Hierarchies::parse(&mounts))
}

/// Whether the host uses cgroup v1.
pub(crate) fn is_v1(hierarchies: &Hierarchies) -> bool {
    hierarchies.used.iter().any(|hierarchy| !hierarchy.v2)
}

/// Those of `wanted` that no hierarchy has.
pub(crate) fn missing_controllers(hierarchies: &Hierarchies, wanted: &[&str]) -> Vec<String> {
    let offered = |name: &str| {
        hierarchies
            .used
            .iter()
            .any(|hierarchy| hierarchy.offers(name))
    };
    wanted
        .iter()
        .filter(|name| !offered(name))
        .map(|&name| name.to_owned())
        .collect()
}

/// Makes a node's cgroup in every hierarchy; the files to write a process id to, to bring it in.
///
/// # Errors
/// A hierarchy cannot be written.
pub(crate) fn create(hierarchies: &Hierarchies, name: &str) -> Result<Vec<PathBuf>, LabError> {
    hierarchies
        .used
        .iter()
        .map(|hierarchy| create_in(hierarchy, name))
        .collect()
}

fn create_in(hierarchy: &Hierarchy, name: &str) -> Result<PathBuf, LabError> {
    let node = hierarchy.mount.join(name);
    let components = node.join(COMPONENTS);
    let made = if hierarchy.v2 {
        create_v2(&hierarchy.mount, &components)
    } else {
        create_v1(hierarchy, &node).and_then(|()| create_v1(hierarchy, &components))
    };
    made.map_err(LabError::io("cannot make the cgroup", &components))?;
    Ok(components.join("cgroup.procs"))
}

fn create_v1(hierarchy: &Hierarchy, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    if hierarchy.has("cpuset") {
        let parent = directory.parent().unwrap_or(&hierarchy.mount);
        for file in CPUSET_FILES {
            fs::write(directory.join(file), fs::read(parent.join(file))?)?;
        }
    }
    Ok(())
}

fn create_v2(root: &Path, components: &Path) -> io::Result<()> {
    let control = root.join("cgroup.subtree_control");
    let offered = fs::read_to_string(root.join("cgroup.controllers"))?;
    let given = fs::read_to_string(&control)?;
    let has = |list: &str, name: &str| list.split_whitespace().any(|word| word == name);
    for name in V2_CONTROLLERS {
        if has(&offered, name) && !has(&given, name) {
            fs::write(&control, format!("+{name}"))?;
        }
    }
    fs::create_dir_all(components)
}

/// Whether a node's cgroup is there in any hierarchy; its directory if so.
pub(crate) fn existing(hierarchies: &Hierarchies, name: &str) -> Option<PathBuf> {
    let mut paths = hierarchies
        .all()
        .map(|hierarchy| hierarchy.mount.join(name));
    paths.find(|path| path.exists())
}

/// Memory that a node's cgroup accounts for, in bytes, less the file cache that can be dropped.
pub(crate) fn memory(hierarchies: &Hierarchies, name: &str) -> Option<u64> {
    let hierarchy = hierarchies.used.iter().find(|h| h.v2 || h.has("memory"))?;
    let node = hierarchy.mount.join(name);
    let (usage, inactive) = if hierarchy.v2 {
        ("memory.current", "inactive_file ")
    } else {
        ("memory.usage_in_bytes", "total_inactive_file ")
    };
    let usage: u64 = fs::read_to_string(node.join(usage))
        .ok()?
        .trim()
        .parse()
        .ok()?;
    let stat = fs::read_to_string(node.join("memory.stat")).ok()?;
    let cached = stat.lines().find_map(|line| line.strip_prefix(inactive))?;
    Some(usage.saturating_sub(cached.trim().parse().ok()?))
}

/// Removes a node's cgroup from every hierarchy, children first. Processes of it may take a moment to be gone. One
/// hierarchy that refuses does not keep the others from being cleaned.
///
/// # Errors
/// A cgroup is still in use after a second.
pub(crate) async fn remove(hierarchies: &Hierarchies, name: &str) -> Result<(), LabError> {
    let mut removed = Ok(());
    for hierarchy in hierarchies.all() {
        let this = remove_from(hierarchy, name).await;
        removed = removed.and(this);
    }
    removed
}

async fn remove_from(hierarchy: &Hierarchy, name: &str) -> Result<(), LabError> {
    let path = hierarchy.mount.join(name);
    let mut attempts = 0;
    while let Err(error) = remove_tree(&path) {
        attempts += 1;
        if error.kind() != ErrorKind::ResourceBusy || attempts > 100 {
            return Err(LabError::io("cannot remove the cgroup", &path)(error));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// A cgroup's files go with it; only directories below it must go first.
fn remove_tree(path: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    match fs::remove_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
        cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n\
        cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n\
        cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
    const V2: &str = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n";

    #[test]
    fn a_host_with_v1_controllers_is_used_through_them_alone() {
        let host = Hierarchies::parse(V1);
        assert_eq!(
            host.bystanders[0].mount,
            Path::new("/sys/fs/cgroup/unified")
        );
        let found = &host.used;
        let mounts: Vec<_> = found.iter().map(|h| h.mount.to_str().unwrap()).collect();
        assert_eq!(
            mounts,
            ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpu,cpuacct"]
        );
        assert!(is_v1(&host) && found[1].has("cpuacct"));
    }

    #[test]
    fn a_host_with_v2_alone_is_used_through_it() {
        let host = Hierarchies::parse(V2);
        assert_eq!((host.used.len(), host.bystanders.len()), (1, 0));
        assert!(!is_v1(&host) && !host.used[0].has("memory"));
    }

    #[tokio::test]
    async fn a_cgroup_that_runc_made_beside_the_used_ones_is_found_and_removed() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("node/kubepods/pod1")).unwrap();
        let host = Hierarchies {
            used: Vec::new(),
            bystanders: vec![Hierarchy {
                mount: root.path().to_owned(),
                controllers: Vec::new(),
                v2: true,
            }],
        };
        assert!(existing(&host, "node").is_some());
        remove(&host, "node").await.unwrap();
        assert_eq!(existing(&host, "node"), None);
    }

    #[tokio::test]
    async fn a_hierarchy_that_refuses_does_not_keep_the_others_from_being_cleaned() {
        let (stuck, free) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(stuck.path().join("node")).unwrap();
        // An ordinary file is no file of a cgroup: the directory does not go.
        fs::write(stuck.path().join("node/file"), "").unwrap();
        fs::create_dir_all(free.path().join("node/kubepods")).unwrap();
        let hierarchy = |root: &tempfile::TempDir, v2| Hierarchy {
            mount: root.path().to_owned(),
            controllers: Vec::new(),
            v2,
        };
        let host = Hierarchies {
            used: vec![hierarchy(&stuck, false)],
            bystanders: vec![hierarchy(&free, true)],
        };
        let error = remove(&host, "node").await.unwrap_err();
        assert!(error.to_string().contains(stuck.path().to_str().unwrap()));
        assert!(!free.path().join("node").exists());
    }

    #[test]
    fn a_v2_host_hands_down_only_missing_controllers() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("cgroup.controllers"), "cpu memory pids").unwrap();
        fs::write(root.path().join("cgroup.subtree_control"), "cpu memory").unwrap();
        create_v2(root.path(), &root.path().join("n/components")).unwrap();
        let written = fs::read_to_string(root.path().join("cgroup.subtree_control")).unwrap();
        assert_eq!(written, "+pids");
        assert!(root.path().join("n/components").is_dir());
    }

    /// A hierarchy of the v2 kind that begins at a directory of our own, where this machine mounts one and lets us.
    fn own_v2() -> Option<(Hierarchies, PathBuf)> {
        let host = of_host().unwrap();
        let mount = host.all().find(|hierarchy| hierarchy.v2)?.mount.clone();
        let own = mount.join(format!("portproof-test-{}", std::process::id()));
        fs::create_dir(&own).ok()?;
        let hierarchy = Hierarchy {
            mount: own.clone(),
            controllers: Vec::new(),
            v2: true,
        };
        let hierarchies = Hierarchies {
            used: vec![hierarchy],
            bystanders: Vec::new(),
        };
        Some((hierarchies, own))
    }

    /// Which v2 cgroup a process is in, as the kernel says.
    fn v2_cgroup_of(pid: u32) -> String {
        let lines = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let line = lines.lines().find_map(|line| line.strip_prefix("0::"));
        line.unwrap().to_owned()
    }

    #[tokio::test]
    #[expect(
        clippy::print_stderr,
        reason = "whoever reads the output must see that nothing was tried"
    )]
    async fn a_real_v2_hierarchy_takes_a_node_in_and_gives_it_back_once_its_processes_are_gone() {
        let Some((host, own)) = own_v2() else {
            eprintln!("skipped: no cgroup v2 hierarchy that this process may write to");
            return;
        };
        let procs = create(&host, "node").unwrap();
        assert_eq!(procs, [own.join("node/components/cgroup.procs")]);
        let mut child = std::process::Command::new("sleep")
            .arg("600")
            .spawn()
            .unwrap();
        fs::write(&procs[0], child.id().to_string()).unwrap();
        let inside = v2_cgroup_of(child.id());
        // A pod beside the components, as runc makes one.
        fs::create_dir_all(own.join("node/kubepods/pod1")).unwrap();
        let busy = remove_tree(&own.join("node/components")).unwrap_err();
        let ending = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            child.kill().unwrap();
            child.wait().unwrap();
        };
        let (removed, ()) = tokio::join!(remove(&host, "node"), ending);
        let left = existing(&host, "node");
        fs::remove_dir(&own).unwrap();
        removed.unwrap();
        assert!(inside.ends_with("/node/components"), "{inside}");
        assert_eq!(busy.kind(), ErrorKind::ResourceBusy);
        assert_eq!(left, None);
    }

    #[test]
    fn a_v1_cpuset_gets_its_parents_processors() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("cpuset.cpus"), "0-1").unwrap();
        fs::write(root.path().join("cpuset.mems"), "0").unwrap();
        let hierarchy = Hierarchy {
            mount: root.path().to_owned(),
            controllers: vec!["cpuset".to_owned()],
            v2: false,
        };
        let host = Hierarchies {
            used: vec![hierarchy],
            bystanders: Vec::new(),
        };
        let procs = create(&host, "node").unwrap();
        assert_eq!(procs, [root.path().join("node/components/cgroup.procs")]);
        let copied = fs::read_to_string(root.path().join("node/components/cpuset.cpus")).unwrap();
        assert_eq!(copied, "0-1");
    }
}
