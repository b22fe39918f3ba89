//! Who speaks to whom: the names in the certificates of one run.
//!
//! Each run has a certificate authority of its own. The agent's certificate carries the DNS name
//! [`server_name`], the orchestrator's the URI [`client_uri`]; both hold the run id, so a certificate of another run is
//! refused even if its authority were trusted.

/// DNS name that the control agent of `role` proves in run `run_id`.
pub fn server_name(run_id: &str, role: &str) -> String {
    format!("{role}.{run_id}.portproof.internal")
}

/// URI that the orchestrator of run `run_id` proves, in the form of a SPIFFE id.
pub fn client_uri(run_id: &str) -> String {
    format!("spiffe://portproof.internal/run/{run_id}/orchestrator")
}
