//! What can go wrong while components are built.

use crate::exit::Exit;
use std::path::PathBuf;

/// Why there are no components.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file could not be read or written.
    #[error("a file of the component cache could not be read or written")]
    Io(#[from] std::io::Error),
    /// A description could not be written or read as JSON.
    #[error("`{}` is not a description of a component", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The catalogue has no such component.
    #[error("there is no component `{name}`")]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// Components have not been built yet.
    #[error("not built yet: {missing}")]
    NotBuilt {
        /// Names of the components or programs, joined by commas.
        missing: String,
    },
    /// Go is not installed.
    #[error("there is no Go toolchain on the path")]
    NoGo {
        /// The oldest version that does.
        required: String,
    },
    /// Go is too old.
    #[error("Go {found} is too old for the components")]
    OldGo {
        /// The installed version.
        found: String,
        /// The oldest version that does.
        required: String,
    },
    /// A tool or a library is not installed.
    #[error("{component} needs {what}")]
    Missing {
        /// The component that needs it.
        component: &'static str,
        /// What it needs.
        what: &'static str,
        /// The Debian packages that bring it.
        package: &'static str,
    },
    /// A wheel exists for other machines only.
    #[error("{component} is pinned for x86-64 only; this machine is {found}")]
    Architecture {
        /// The component.
        component: &'static str,
        /// The machine's architecture.
        found: &'static str,
    },
    /// Too little disk.
    #[error("building needs about {needed} of disk under `{}`, {free} are free", path.display())]
    Disk {
        /// The cache directory.
        path: PathBuf,
        /// What is needed, for people.
        needed: String,
        /// What is free, for people.
        free: String,
    },
    /// A program of a build could not be started.
    #[error("`{program}` could not be started")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A build failed.
    #[error("building {component} failed; the whole log is `{}`, its end is:\n{tail}", log.display())]
    Failed {
        /// The component.
        component: String,
        /// The last lines of its output.
        tail: String,
        /// The whole output.
        log: PathBuf,
    },
    /// A source is not what a patch was made for.
    #[error(
        "the text to change is {found} times in `{file}` of {module}, not once: the patch does not fit this version"
    )]
    Patch {
        /// The module.
        module: &'static str,
        /// The file inside it.
        file: &'static str,
        /// How often the text was found.
        found: usize,
    },
    /// A download is not the pinned one.
    #[error("`{}` has SHA-256 {actual}, pinned is {expected}", path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// Its digest.
        actual: String,
        /// The pinned digest.
        expected: &'static str,
    },
    /// A build ended well but did not bring what it should.
    #[error("the build of {component} brought no {what}")]
    NoResult {
        /// The component.
        component: String,
        /// What is missing.
        what: String,
    },
}

impl BuildError {
    /// The process exit code for this error.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoGo { .. }
            | Self::OldGo { .. }
            | Self::Missing { .. }
            | Self::Architecture { .. }
            | Self::NotBuilt { .. }
            | Self::Disk { .. } => Exit::Doctor,
            Self::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => Exit::Doctor,
            Self::Unknown { .. } => Exit::Usage,
            _ => Exit::Infrastructure,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoGo { required } | Self::OldGo { required, .. } => {
                format!(
                    "install Go {required} or newer from https://go.dev/dl and put it on the path"
                )
            }
            Self::Missing { package, .. } => format!("apt-get install {package}"),
            Self::NotBuilt { .. } => "build the components with `portproof lab build`".to_owned(),
            Self::Disk { .. } => {
                "free some space, or name a directory on another disk in XDG_CACHE_HOME".to_owned()
            }
            Self::Failed { .. } => {
                "what was built before is kept: run `portproof lab build` again to go on".to_owned()
            }
            _ => return None,
        })
    }
}
