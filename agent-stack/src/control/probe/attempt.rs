//! One attempt, by the probe built into the image or by Python through the interpreter's public call.

use super::pods::Targets;
use super::{Prober, observation, origin_part, timeout};
use crate::control::failure;
use portproof_proto::v1::{EgressObservation, EgressProbe, ProbeOutcome, ProbeVia, Transport};
use serde::Deserialize;
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;

/// What the pod gets beyond the time of the probe itself, to start it and to answer.
const GRACE: Duration = Duration::from_secs(10);
/// Longest detail that is passed on, in characters.
const MAX_DETAIL: usize = 300;
/// The same probe as the native one, in Python; the parameters are the JSON document in front of it.
const PYTHON: &str = include_str!("probe.py");

/// What the native probe answers, and what the Python probe prints.
#[derive(Debug, Deserialize)]
struct Seen {
    outcome: String,
    #[serde(default)]
    detail: String,
    /// What came back from the target.
    #[serde(default)]
    received: Option<serde_json::Value>,
}

/// The answer of the interpreter's execute call, as far as it matters here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Executed {
    stdout: String,
    #[serde(default)]
    stderr: String,
    #[serde(default)]
    timed_out: bool,
}

impl Prober<'_> {
    /// Runs one probe; trouble on the way to it is `NOT_RUN`.
    pub(super) async fn attempt(
        &self,
        probe: &EgressProbe,
        targets: &Targets,
    ) -> EgressObservation {
        let mut observed = observation(probe);
        let address = match targets.address(probe) {
            Ok(address) => address,
            Err(reason) => return not_run(observed, reason),
        };
        observed.address = address.to_string();
        let seen = match probe.via() {
            ProbeVia::Python => self.by_python(probe, address).await,
            _ => self.natively(probe, address).await,
        };
        match seen {
            Ok(seen) => record(observed, probe, &seen),
            Err(reason) => not_run(observed, &reason),
        }
    }

    async fn natively(&self, probe: &EgressProbe, address: SocketAddr) -> Result<Seen, String> {
        let part = origin_part(probe.origin());
        let answer = self
            .peers
            .post(
                part,
                "/v1/probe",
                &parameters(probe, address),
                timeout(probe) + GRACE,
            )
            .await;
        answer.map_err(|error| failure::chain(&error))
    }

    async fn by_python(&self, probe: &EgressProbe, address: SocketAddr) -> Result<Seen, String> {
        // JSON text is a Python literal only as a quoted string: quoting twice makes it one.
        let quoted = json!(parameters(probe, address).to_string());
        let seconds = timeout(probe).as_secs() + 5;
        let call =
            json!({"code": format!("PARAMETERS = {quoted}\n{PYTHON}"), "timeoutSeconds": seconds});
        let part = origin_part(probe.origin());
        let answer = self
            .peers
            .post(part, "/v1/execute", &call, timeout(probe) + GRACE)
            .await;
        printed(&answer.map_err(|error| failure::chain(&error))?)
    }
}

fn parameters(probe: &EgressProbe, address: SocketAddr) -> serde_json::Value {
    let transport = match probe.transport() {
        Transport::Udp => "udp",
        Transport::Http => "http",
        Transport::Tcp | Transport::Unspecified => "tcp",
    };
    let path = (transport == "http").then(|| format!("/reach?nonce={}", probe.nonce));
    let timeout_ms = u64::try_from(timeout(probe).as_millis()).unwrap_or(u64::MAX);
    let mut parameters = json!({"address": address.to_string(), "transport": transport, "nonce": probe.nonce,
        "timeoutMs": timeout_ms});
    if let Some(path) = path {
        parameters["path"] = json!(path);
    }
    parameters
}

/// The last line the Python probe printed is its finding.
fn printed(executed: &Executed) -> Result<Seen, String> {
    if executed.timed_out {
        return Err("the Python probe was stopped by the interpreter's time limit".to_owned());
    }
    let last = executed
        .stdout
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or_default();
    serde_json::from_str(last).map_err(|_| {
        format!(
            "the Python probe printed no finding: {}",
            executed.stderr.trim()
        )
    })
}

fn record(mut observed: EgressObservation, probe: &EgressProbe, seen: &Seen) -> EgressObservation {
    let outcome = match seen.outcome.as_str() {
        "sent" => ProbeOutcome::Sent,
        "refused" => ProbeOutcome::Refused,
        "timeout" => ProbeOutcome::Timeout,
        "unreachable" => ProbeOutcome::Unreachable,
        _ => ProbeOutcome::NotRun,
    };
    observed.set_outcome(outcome);
    observed.detail = seen.detail.chars().take(MAX_DETAIL).collect();
    if probe.transport() == Transport::Http && outcome == ProbeOutcome::Sent {
        // The allowed peer answers with the nonce it was asked for: its answer is its testimony.
        observed.witness_answered = true;
        observed.received = came_back(seen.received.as_ref(), &probe.nonce);
    }
    observed
}

/// Whether what came back holds the nonce; a probe may also have compared it itself.
fn came_back(received: Option<&serde_json::Value>, nonce: &str) -> bool {
    match received {
        Some(serde_json::Value::Bool(received)) => *received,
        Some(serde_json::Value::String(text)) => text.contains(nonce),
        _ => false,
    }
}

fn not_run(mut observed: EgressObservation, reason: &str) -> EgressObservation {
    observed.set_outcome(ProbeOutcome::NotRun);
    observed.detail = reason.chars().take(MAX_DETAIL).collect();
    observed
}
