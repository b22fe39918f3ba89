//! How an interpreter runs programs.

use super::limits::LimitArgs;
use super::workspace::FileCaps;
use std::path::{Path, PathBuf};

/// Where a program without a slash in its name is looked for, as `execvp` does without `PATH`.
const SEARCHED: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// What a Python program reads beside its own runtime: shared libraries, time zones, the resolver's files, the processors
/// and processes it may ask about.
const READABLE: [&str; 13] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/share/zoneinfo",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/proc",
    "/sys/devices/system/cpu",
];

/// How programs are run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This program, whose `run-limited` carries out a run.
    pub launcher: PathBuf,
    /// The Python to run.
    pub python: PathBuf,
    /// What a run may use.
    pub limits: LimitArgs,
    /// Files that come with a program and that it leaves.
    pub files: FileCaps,
    /// `RLIMIT_NPROC`: processes and threads of this user, on the whole node.
    pub user_processes: u64,
    /// Programs that run at the same time.
    pub concurrency: usize,
    /// Programs that may wait.
    pub queue: usize,
    /// Directory for the workspaces.
    pub workspaces: PathBuf,
    /// Directories that belong to the interpreter alone and are emptied whenever no program runs.
    pub wiped: Vec<PathBuf>,
    /// Paths that programs may read, where Landlock has a say.
    pub readable: Vec<PathBuf>,
    /// Whether nothing runs unless every layer of confinement holds.
    pub require_confinement: bool,
}

impl Settings {
    /// The settings of the reference stack.
    pub fn new(launcher: PathBuf, python: PathBuf) -> Self {
        let python = found(python);
        Self {
            launcher,
            readable: readable(&python),
            python,
            limits: LimitArgs::default(),
            files: FileCaps {
                count: 64,
                bytes: 1 << 20,
            },
            user_processes: 1024,
            concurrency: 8,
            queue: 32,
            workspaces: own_directory(),
            wiped: Vec::new(),
            require_confinement: false,
        }
    }
}

/// A directory that no other interpreter on this machine uses.
fn own_directory() -> PathBuf {
    let unique = uuid::Uuid::new_v4().simple();
    std::env::temp_dir().join(format!("interpreter-{unique}"))
}

/// The real path of a program; unchanged when there is none, so that the error names what was asked for.
fn found(program: PathBuf) -> PathBuf {
    let named = program.components().count() > 1;
    let candidate = if named {
        Some(program.clone())
    } else {
        let candidates = SEARCHED
            .iter()
            .map(|directory| Path::new(directory).join(&program));
        candidates.into_iter().find(|candidate| candidate.exists())
    };
    let real = candidate.and_then(|candidate| fs_err::canonicalize(candidate).ok());
    real.unwrap_or(program)
}

/// [`READABLE`] and the library of a Python that stands elsewhere.
fn readable(python: &Path) -> Vec<PathBuf> {
    let prefix = python.parent().and_then(Path::parent);
    let library = prefix.map(|prefix| prefix.join("lib"));
    let mut paths: Vec<PathBuf> = READABLE.iter().map(PathBuf::from).collect();
    paths.extend(library.filter(|library| !paths.contains(library)));
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_without_a_path_is_looked_for_where_programs_are() {
        let shell = found(PathBuf::from("sh"));
        assert!(shell.is_absolute(), "{}", shell.display());
        assert_eq!(
            found(PathBuf::from("no-such-program")),
            Path::new("no-such-program")
        );
        assert_eq!(
            found(PathBuf::from("/nonexistent/x")),
            Path::new("/nonexistent/x")
        );
    }

    #[test]
    fn the_library_of_a_python_elsewhere_can_be_read() {
        let paths = readable(Path::new("/opt/python/bin/python3.11"));
        assert!(paths.contains(&PathBuf::from("/opt/python/lib")));
        assert_eq!(
            readable(Path::new("/usr/bin/python3.11")).len(),
            READABLE.len()
        );
    }
}
