//! The personality that the official conformance suite of MCP (`@modelcontextprotocol/conformance`) talks to.
//!
//! The suite does not test any server: it calls tools, prompts and resources by agreed names and looks at how they
//! answer. They are here, behind the same endpoint as the tools of a cluster; no cluster is needed. Beside them stand
//! tools that echo their arguments through all the gateway does for a call, for measuring what that costs.

mod content;
mod echo;
mod fixture;
mod input;
mod live;
mod prompts;
mod resources;
mod state;
mod tools;

pub(super) use fixture::router;
