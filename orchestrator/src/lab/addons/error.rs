//! What can go wrong while add-ons are installed or probed.

use std::path::PathBuf;
use std::time::Duration;

/// Why a cluster has no working add-ons.
#[derive(Debug, thiserror::Error)]
pub enum AddonError {
    /// A manifest could not be read.
    #[error("the manifests in `{}` could not be read", path.display())]
    Read {
        /// The directory or file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A manifest could not be filled in.
    #[error("the manifest `{name}` could not be filled in")]
    Render {
        /// Its name.
        name: String,
        /// Why not.
        #[source]
        source: minijinja::Error,
    },
    /// A manifest is not YAML of Kubernetes objects.
    #[error("the manifest `{name}` is not valid: {message}")]
    Parse {
        /// Its name.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// The API server refused an object.
    #[error("{object} was refused by the API server")]
    Apply {
        /// Kind and name.
        object: String,
        /// What it says.
        #[source]
        source: Box<kube::Error>,
    },
    /// The API server could not be asked.
    #[error("the API server could not be asked for {what}")]
    Ask {
        /// What was wanted.
        what: String,
        /// What it says.
        #[source]
        source: Box<kube::Error>,
    },
    /// A certificate could not be made.
    #[error("certificates for Envoy Gateway could not be made")]
    Certificate(#[from] rcgen::Error),
    /// Earlier probes were interrupted, and what they left does not go away.
    #[error("the namespace `{namespace}` of earlier probes is being removed, but does not go away")]
    Leftover {
        /// The namespace.
        namespace: String,
    },
    /// Something did not come to work in time.
    #[error("not seen within {} s: {what}; at the last try: {last}{hints}", waited.as_secs())]
    NotWorking {
        /// What should have been seen.
        what: String,
        /// How long it was tried.
        waited: Duration,
        /// What the last try showed.
        last: String,
        /// Pods that are not ready and why, for people; may be empty.
        hints: String,
    },
}
