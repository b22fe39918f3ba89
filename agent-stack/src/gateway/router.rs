//! The HTTP routes of the tool gateway.

use super::backend::Backends;
use super::call::Calls;
use super::endpoint::{Era, Sessions, Settings, endpoint};
use super::mcp::ToolServer;
use super::registry::Registry;
use crate::server::{self, Readiness};
use crate::telemetry::Telemetry;
use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::routing::get;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Longest nonce of `/reach`, in bytes.
const MAX_NONCE: usize = 128;

/// What a tool gateway is made of.
pub struct GatewayParts {
    /// The tools.
    pub registry: Arc<Registry>,
    /// What answers their calls.
    pub backends: Backends,
    /// Where spans go.
    pub telemetry: Telemetry,
    /// `Host` values that are accepted, against DNS rebinding.
    pub allowed_hosts: Vec<String>,
    /// Tools that are not served although they are there: a deviation put in on purpose.
    pub hidden: BTreeSet<String>,
    /// Whether the trace context of calls is ignored: a deviation put in on purpose.
    pub drop_trace_context: bool,
}

/// The routes `/mcp`, `/reach` and `/healthz` of a gateway that speaks every revision.
pub fn router(parts: GatewayParts, shutdown: CancellationToken) -> Router {
    router_of_era(parts, Era::Dual, shutdown)
}

/// The routes `/mcp`, `/reach` and `/healthz` of a gateway that speaks the revisions of `era`.
pub fn router_of_era(parts: GatewayParts, era: Era, shutdown: CancellationToken) -> Router {
    let settings = Settings {
        era,
        allowed_hosts: parts.allowed_hosts.clone(),
        sessions: Sessions::Never,
    };
    let ready = readiness(Arc::clone(&parts.registry));
    let server = ToolServer::new(Calls::new(parts), era);
    let router = endpoint(server, settings, shutdown).route("/reach", get(reach));
    server::with_health(router, ready)
}

fn readiness(registry: Arc<Registry>) -> Readiness {
    Arc::new(move || {
        let unready = || "the Tool objects have not been listed yet".to_owned();
        registry.is_synced().then_some(()).ok_or_else(unready)
    })
}

#[derive(Deserialize)]
struct Reach {
    nonce: String,
}

/// Answers with the nonce, so that an egress probe knows that this peer, and no other, was reached.
async fn reach(Query(Reach { nonce }): Query<Reach>) -> Result<String, StatusCode> {
    let plain = nonce
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    if nonce.is_empty() || nonce.len() > MAX_NONCE || !plain {
        return Err(StatusCode::BAD_REQUEST);
    }
    Ok(nonce)
}
