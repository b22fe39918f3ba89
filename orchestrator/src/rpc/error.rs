//! Why a call to a control agent gave no answer.

use crate::exit::Exit;
use portproof_proto::bundle::BundleError;
use rustls::pki_types::{InvalidDnsNameError, pem};
use std::error::Error as _;
use std::time::Duration;
use tonic::{Code, Status};

/// Why certificates that this process made itself cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// One of them is not PEM.
    #[error("a certificate or key is not PEM")]
    Pem(#[from] pem::Error),
    /// They do not fit together.
    #[error("certificate, key and authority do not fit together")]
    Unusable(#[from] rustls::Error),
    /// No certificate can be for this name.
    #[error("the agent's name is no DNS name")]
    Name(#[from] InvalidDnsNameError),
}

/// A call to a control agent that gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// No connection: the pod, the port-forward or the handshake.
    #[error("the control agent cannot be reached")]
    Connect(#[source] tonic::transport::Error),
    /// The connection broke before the agent had answered.
    #[error("the connection to the control agent broke during `{call}`")]
    Transport {
        /// The call.
        call: &'static str,
        /// How it broke.
        #[source]
        source: Box<Status>,
    },
    /// The agent answered with an error.
    #[error("`{call}` was answered with {code:?}: {message}")]
    Status {
        /// The call.
        call: &'static str,
        /// gRPC status code.
        code: Code,
        /// What the agent said.
        message: String,
    },
    /// The deadline passed.
    #[error("`{call}` did not end within {} s", deadline.as_secs())]
    Deadline {
        /// The call.
        call: &'static str,
        /// Time it was given.
        deadline: Duration,
    },
    /// The stream ended before its last message.
    #[error("`{call}` broke off before it was complete")]
    Truncated {
        /// The call.
        call: &'static str,
    },
    /// The agent sent what the contract does not allow.
    #[error("`{call}` was answered with {what}")]
    Protocol {
        /// The call.
        call: &'static str,
        /// What is wrong with the answer.
        what: String,
    },
    /// A bundle cannot be written or read.
    #[error("the bundle cannot be carried")]
    Bundle(#[from] BundleError),
    /// The certificates of the run cannot be used.
    #[error("the certificates of the run cannot be used")]
    Credentials(#[from] CredentialsError),
    /// The name of the agent is no authority of a URI.
    #[error("the agent's name cannot be called")]
    Name(#[from] http::Error),
    /// The run id cannot travel as metadata.
    #[error("the run id is no metadata value")]
    RunId(#[from] tonic::metadata::errors::InvalidMetadataValue),
}

impl RpcError {
    /// Sorts a failed call into an answer of the agent and trouble on the way: only the latter has a local cause.
    pub(super) fn status(call: &'static str, status: &Status) -> Self {
        if status.source().is_some() {
            return Self::Transport {
                call,
                source: Box::new(status.clone()),
            };
        }
        Self::Status {
            call,
            code: status.code(),
            message: status.message().to_owned(),
        }
    }

    /// Whether the way to the agent failed and not the agent's work: worth another try, and never a verdict.
    pub const fn is_infrastructure(&self) -> bool {
        match self {
            Self::Connect(_)
            | Self::Transport { .. }
            | Self::Deadline { .. }
            | Self::Truncated { .. } => true,
            Self::Status { code, .. } => matches!(
                code,
                Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled
            ),
            Self::Protocol { .. }
            | Self::Bundle(_)
            | Self::Credentials(_)
            | Self::Name(_)
            | Self::RunId(_) => false,
        }
    }

    /// What to do about it, where there is something to say.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Connect(_) | Self::Transport { .. } => Some(
                "is the pod `control` of the run's namespace still running, and was it restarted?",
            ),
            Self::Status {
                code: Code::Unauthenticated | Code::PermissionDenied,
                ..
            } => Some("the agent belongs to another run: clean that run up and start again"),
            Self::Deadline { .. } => {
                Some("the log of the pod `control` in the run's namespace says what it waits for")
            }
            _ => None,
        }
    }

    /// With what the process ends when nothing better is known.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Bundle(_) | Self::RunId(_) => Exit::Usage,
            Self::Credentials(_) | Self::Name(_) => Exit::Unexpected,
            _ => Exit::Infrastructure,
        }
    }
}
