//! The MCP endpoint of the tool gateway over real HTTP, without a cluster.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod bad_input;
mod eras;
mod errors;
mod fixture;
mod gateway;
mod wire;
