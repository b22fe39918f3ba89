//! What can go wrong between portproof and the API server of a cluster.

use super::object::{ObjectError, ObjectId};
use crate::exit::Exit;
use crate::ledger::LedgerError;
use crate::verify::Role;
use kube::config::KubeconfigError;
use std::path::PathBuf;
use std::time::Duration;

/// Why a cluster cannot be used as asked.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The kubeconfig cannot be read, or does not hold what the context names.
    #[error("cluster {role}: the kubeconfig `{}` cannot be used", path.display())]
    Kubeconfig {
        /// Role of the cluster.
        role: Role,
        /// The kubeconfig.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<KubeconfigError>,
    },
    /// No context was named and the kubeconfig does not have exactly one.
    #[error("cluster {role}: the kubeconfig `{}` has {} contexts and none was named", path.display(), known.len())]
    ContextNotNamed {
        /// Role of the cluster.
        role: Role,
        /// The kubeconfig.
        path: PathBuf,
        /// Its contexts.
        known: Vec<String>,
    },
    /// The kubeconfig has no context of that name.
    #[error("cluster {role}: no context `{context}` in the kubeconfig `{}`", path.display())]
    ContextUnknown {
        /// Role of the cluster.
        role: Role,
        /// What was asked for.
        context: String,
        /// The kubeconfig.
        path: PathBuf,
        /// Its contexts.
        known: Vec<String>,
    },
    /// The API server did not answer in time.
    #[error("cluster {role}: no answer within {} s: {call}", after.as_secs())]
    Timeout {
        /// Role of the cluster.
        role: Role,
        /// What was tried.
        call: String,
        /// The deadline.
        after: Duration,
    },
    /// The API server answered that it will not do it.
    #[error("cluster {role}: {call}: the API server answered {code} {reason}: {message}")]
    Refused {
        /// Role of the cluster.
        role: Role,
        /// What was tried.
        call: String,
        /// HTTP status.
        code: u16,
        /// `reason` of the Kubernetes status, for example `Forbidden`.
        reason: String,
        /// Its message.
        message: String,
    },
    /// The call failed before there was an answer from the API server, or the answer made no sense.
    #[error("cluster {role}: cannot {call}")]
    Failed {
        /// Role of the cluster.
        role: Role,
        /// What was tried.
        call: String,
        /// Why it failed.
        #[source]
        source: Box<kube::Error>,
    },
    /// An answer lacks what every API server puts there.
    #[error("cluster {role}: {call}: the answer carries no {field}")]
    Incomplete {
        /// Role of the cluster.
        role: Role,
        /// What was tried.
        call: String,
        /// What is missing.
        field: &'static str,
    },
    /// An object of that name is there already, and portproof never takes over what it did not create.
    #[error("cluster {role}: {object} is there already")]
    AlreadyExists {
        /// Role of the cluster.
        role: Role,
        /// The object.
        object: ObjectId,
    },
    /// Something cannot be addressed as an object.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The ledger failed, and without it nothing may be created.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The pod of the control agent did not become ready.
    #[error("cluster {role}: the control agent is not ready {reason}: {state}")]
    ControlNotReady {
        /// Role of the cluster.
        role: Role,
        /// `after 60 s`, or that waiting is of no use.
        reason: String,
        /// What pod, cluster and log say.
        state: String,
    },
}

impl ClusterError {
    /// Sorts what the client reports into an answer of the server and everything else.
    pub(crate) fn from_client(role: &Role, call: &str, source: kube::Error) -> Self {
        let (role, call) = (role.clone(), call.to_owned());
        match source {
            kube::Error::Api(status) => Self::Refused {
                role,
                call,
                code: status.code,
                reason: status.reason,
                message: status.message,
            },
            source => Self::Failed {
                role,
                call,
                source: Box::new(source),
            },
        }
    }

    /// Whether the API server said that the object is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { code: 404, .. })
    }

    /// Whether the same call may succeed a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Timeout { .. } | Self::Failed { .. } => true,
            Self::Refused { code, .. } => *code == 429 || *code >= 500,
            _ => false,
        }
    }

    /// What to do about it, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Kubeconfig { .. } => {
                Some("check the file with `kubectl --kubeconfig <file> config view`".to_owned())
            }
            Self::ContextNotNamed { known, .. } | Self::ContextUnknown { known, .. } => {
                Some(format!("name one of its contexts: {}", known.join(", ")))
            }
            Self::Refused { code: 401, .. } => {
                Some("the credentials of this context are not accepted: renew them".to_owned())
            }
            Self::Refused { code: 403, .. } => Some(
                "the user of this context lacks a permission: `portproof rbac print --of run` prints a ClusterRole with all that a run needs"
                    .to_owned(),
            ),
            Self::Timeout { .. } | Self::Failed { .. } => {
                Some("is the cluster running, and can this machine reach its API server?".to_owned())
            }
            Self::AlreadyExists { .. } => Some(
                "remove it yourself if it is a leftover, or run `portproof cleanup`; it is never taken over".to_owned(),
            ),
            Self::Ledger(_) => Some("is the disk of the run directory full or read-only?".to_owned()),
            Self::ControlNotReady { state, .. } if state.contains("ErrImageNeverPull") => {
                Some("load the image into every node of the cluster first".to_owned())
            }
            Self::ControlNotReady { .. } => {
                Some("can the nodes pull the image, and do quotas and admission rules let the pod start?".to_owned())
            }
            Self::Refused { .. } | Self::Incomplete { .. } | Self::Object(_) => None,
        }
    }

    /// With what the process ends when nothing better is known.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Kubeconfig { .. }
            | Self::ContextNotNamed { .. }
            | Self::ContextUnknown { .. } => Exit::Usage,
            Self::Object(_) => Exit::Unexpected,
            Self::Timeout { .. }
            | Self::Refused { .. }
            | Self::Failed { .. }
            | Self::Incomplete { .. }
            | Self::AlreadyExists { .. }
            | Self::ControlNotReady { .. }
            | Self::Ledger(_) => Exit::Infrastructure,
        }
    }
}
