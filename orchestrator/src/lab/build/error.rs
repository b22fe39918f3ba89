//! What can go wrong while components are built.

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
    #[error("{missing} not built yet; run `portproof lab build`")]
    NotBuilt {
        /// Names of the components or programs, joined by commas.
        missing: String,
    },
    /// Go is not installed.
    #[error(
        "no Go toolchain was found on the path; install Go {required} or newer from https://go.dev/dl"
    )]
    NoGo {
        /// The oldest version that does.
        required: String,
    },
    /// Go is too old.
    #[error("Go {found} is too old: the components need {required} or newer (https://go.dev/dl)")]
    OldGo {
        /// The installed version.
        found: String,
        /// The oldest version that does.
        required: String,
    },
    /// A tool or a library is not installed.
    #[error("{component} needs {what}; install it with `apt-get install {package}`")]
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
    #[error(
        "building needs about {needed} free under `{}`, there are {free}; free some, or set XDG_CACHE_HOME to a larger disk",
        path.display()
    )]
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
