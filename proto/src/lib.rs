//! The contract between portproof's orchestrator and its in-cluster agents.
//!
//! Everything both sides must agree on stands here and nowhere else: the gRPC service, the `Tool` CRD, canonical
//! JSON and digests, the portable projection of an object, the bundle format, and the names of services, labels,
//! headers, spans and attributes. The crate does no IO and holds no Kubernetes client.

pub mod access;
pub mod api_key;
pub mod bundle;
pub mod canonical;
pub mod descriptor;
pub mod identity;
pub mod names;
pub mod projection;
pub mod telemetry;
pub mod tool;

/// The generated messages and services of the package `portproof.v1`.
pub mod v1 {
    #![expect(
        missing_docs,
        clippy::all,
        clippy::pedantic,
        clippy::allow_attributes,
        reason = "generated from the commented .proto files"
    )]
    tonic::include_proto!("portproof.v1");
}

/// Largest gRPC message either side sends or accepts, in bytes; larger things travel in chunks.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Size of one bundle chunk, in bytes: well below [`MAX_MESSAGE_BYTES`] so that framing never matters.
pub const CHUNK_BYTES: usize = 256 * 1024;
