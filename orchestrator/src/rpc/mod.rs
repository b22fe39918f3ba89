//! gRPC to the control agents; the only room that knows tonic and the generated messages.
//!
//! Callers see the records of [`crate::verify::evidence`] and the plain requests of this module. How a byte stream to an
//! agent is opened (a port-forward, an address) is the dialler's business.

mod channel;
mod client;
mod convert;
mod error;
mod pki;
mod relay;
mod request;
mod spans;

pub use channel::{Connection, Dial, DialFuture, connect};
pub use client::AgentClient;
pub use error::{CredentialsError, RpcError};
pub use pki::{Credentials, PkiError, RunAuthority};
pub use relay::Relay;
pub use request::{
    AgentDescription, EgressProbePlan, Fault, GatewayAddress, LoadPlan, PodKernels,
    ProvisionProgress, StackPlan, TaskOrder, TeardownReport, UpstreamPlan,
};
pub use spans::SpanStore;

#[cfg(test)]
pub(crate) mod fake_agent;
#[cfg(test)]
mod tests;
