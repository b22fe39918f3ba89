//! The reference stack: every part of it, so that one binary can be any of them and tests can run all in one process.

pub mod agent;
pub mod all;
pub mod api_key;
pub mod authorities;
pub mod canary;
pub mod catalog;
pub mod cli;
pub mod control;
pub mod gateway;
pub mod http_client;
pub mod interpreter;
mod json_schema;
mod media_type;
pub mod model;
pub mod pause;
pub mod plan;
pub mod probe;
pub mod server;
pub mod shutdown;
pub mod strict_json;
pub mod telemetry;
