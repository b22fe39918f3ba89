//! What can go wrong while an image is made.

use crate::exit::Exit;
use crate::lab::build::BuildError;
use std::path::PathBuf;

/// Why an image was not made.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A file could not be read or written.
    #[error("a file of the image could not be read or written")]
    Io(#[from] std::io::Error),
    /// A path inside the image is absolute, empty or climbs out of it.
    #[error("`{path}` is not a path inside an image")]
    Path {
        /// The path.
        path: String,
    },
    /// A description could not be written as JSON.
    #[error("the image's description could not be written")]
    Describe(#[source] serde_json::Error),
    /// A description has no canonical form.
    #[error("the image's description has no canonical form")]
    Canonical(#[from] portproof_proto::canonical::CanonicalError),
    /// A field of the description has no valid value.
    #[error("the image's description is incomplete")]
    Specification(#[source] oci_spec::OciSpecError),
    /// The tar cannot be read back.
    #[error("`{}` is not an image of portproof's", path.display())]
    NotAnImage {
        /// The file.
        path: PathBuf,
    },
    /// A file is not a Linux program or library.
    #[error("`{}` is not an ELF file", path.display())]
    Elf {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        #[source]
        source: goblin::error::Error,
    },
    /// A library that a program needs is nowhere to be found.
    #[error("`{}` needs the library `{library}`, which is in none of the library directories", user.display())]
    Library {
        /// Name of the library, as in the program.
        library: String,
        /// Who needs it.
        user: PathBuf,
    },
    /// The `agent-stack` program is missing.
    #[error("there is no agent-stack program at `{}`", path.display())]
    NoAgentStack {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A Debian tool could not be started.
    #[error("`{program}` could not be started")]
    Start {
        /// The tool.
        program: &'static str,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A Debian tool failed.
    #[error("`{command}` failed: {message}")]
    Tool {
        /// The command line.
        command: String,
        /// The end of its output.
        message: String,
    },
    /// The package lists do not know a package.
    #[error("the package lists do not know {missing}")]
    UnknownPackages {
        /// Names, joined by commas.
        missing: String,
    },
    /// A package is not the one that the package lists name.
    #[error("`{}` has SHA-256 {actual}, the package lists say {expected}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Digest of the file.
        actual: String,
        /// Digest in the package lists.
        expected: String,
    },
    /// A component that goes into an image has not been built.
    #[error("a component of the image is missing")]
    Component(#[from] BuildError),
}

impl ImageError {
    /// The process exit code for this error.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoAgentStack { .. } | Self::Start { .. } | Self::UnknownPackages { .. } => {
                Exit::Doctor
            }
            Self::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => Exit::Doctor,
            Self::Component(error) => error.exit(),
            _ => Exit::Infrastructure,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoAgentStack { .. } => {
                "build it with `cargo build --release`, or name it with --agent-stack".to_owned()
            }
            Self::Start { .. } => {
                "the image's Python comes from Debian packages: this needs Debian 12".to_owned()
            }
            Self::UnknownPackages { .. } => {
                "run `apt-get update`; the image's Python 3.11 is in Debian 12's lists".to_owned()
            }
            Self::Component(error) => return error.hint(),
            _ => return None,
        })
    }
}
