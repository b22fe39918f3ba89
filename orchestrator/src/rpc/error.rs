//! Why a call to a control agent gave no answer.

use portproof_proto::bundle::BundleError;
use std::time::Duration;
use tonic::{Code, Status};

/// A call to a control agent that gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// No connection: the pod, the port-forward or the handshake.
    #[error("the control agent cannot be reached")]
    Connect(#[source] tonic::transport::Error),
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
    /// The run id cannot travel as metadata.
    #[error("the run id is no metadata value")]
    RunId(#[from] tonic::metadata::errors::InvalidMetadataValue),
}

impl RpcError {
    pub(super) fn status(call: &'static str, status: &Status) -> Self {
        Self::Status {
            call,
            code: status.code(),
            message: status.message().to_owned(),
        }
    }
}
