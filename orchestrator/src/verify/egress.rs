//! `sandbox/egress-basic`: what untrusted code can reach, judged by what the far end received.
//!
//! The rule is a sandwich: the control pod reaches the canary listener before and after the attempt, so silence in
//! between means blocked and not broken. The listener's own record decides; a client's timeout alone proves nothing.

use super::catalogue::{EGRESS_BASIC, failed, inconclusive};
use super::evidence::{EgressObservation, Origin, Phase, ProbeOutcome, Target, Transport, Via};
use super::measure::list;
use super::{CheckResult, Fact, Verdict};
use serde_json::json;
use std::collections::BTreeSet;

/// What must be blocked, and by which means it must have been tried.
const ATTEMPTS: [(Transport, Via); 4] = [
    (Transport::Tcp, Via::Native),
    (Transport::Tcp, Via::Python),
    (Transport::Udp, Via::Native),
    (Transport::Udp, Via::Python),
];

/// Passes when the canary listener received nothing from the sandbox over TCP and UDP, by the native probe and by Python
/// code, while the control reached it before and after and the sandbox's allowed peer answered.
pub fn egress_basic(observations: &[EgressObservation]) -> CheckResult {
    EGRESS_BASIC.decided(
        judge(observations),
        facts(observations),
        json!({"observations": observations}),
    )
}

fn judge(observations: &[EgressObservation]) -> Verdict {
    let leaks: Vec<_> = attempts(observations).filter_map(leak).collect();
    if !leaks.is_empty() {
        return failed(list(&leaks, 4));
    }
    let gaps: Vec<_> = unproven_attempts(observations)
        .chain(unproven_controls(observations))
        .chain(unproven_allowed_peer(observations))
        .chain(unproven_addresses(observations))
        .collect();
    if gaps.is_empty() {
        Verdict::Passed
    } else {
        inconclusive(list(&gaps, 4))
    }
}

/// Everything the sandbox sent towards the canary, in whatever phase.
fn attempts(observations: &[EgressObservation]) -> impl Iterator<Item = &EgressObservation> {
    observations
        .iter()
        .filter(|seen| seen.origin == Origin::Sandbox && seen.target == Target::Canary)
}

/// A receipt is a leak whatever the client saw; so is a connection that was made, even if its data got lost. A datagram
/// that merely left the socket is not.
fn leak(seen: &EgressObservation) -> Option<String> {
    let connected = seen.outcome == ProbeOutcome::Sent && seen.transport != Transport::Udp;
    match (seen.received, connected) {
        (Some(true), _) => Some(format!(
            "the canary listener received what the sandbox sent over {}",
            how(seen)
        )),
        (_, true) => Some(format!(
            "the sandbox connected to the canary listener over {}",
            how(seen)
        )),
        _ => None,
    }
}

fn unproven_attempts(observations: &[EgressObservation]) -> impl Iterator<Item = String> {
    ATTEMPTS.into_iter().filter_map(move |(transport, via)| {
        let name = format!("{} ({})", transport_word(transport), via_word(via));
        let tried: Vec<_> = attempts(observations)
            .filter(|seen| {
                (seen.transport, seen.via, seen.phase) == (transport, via, Phase::Attempt)
            })
            .collect();
        if tried.is_empty() {
            return Some(format!("{name} was not tried from the sandbox"));
        }
        tried
            .into_iter()
            .find_map(|seen| match (seen.outcome, seen.received) {
                (ProbeOutcome::NotRun, _) => Some(format!(
                    "{name} could not be tried from the sandbox: {}",
                    seen.detail
                )),
                (_, None) => Some(format!(
                    "the canary listener could not be asked about {name}"
                )),
                _ => None,
            })
    })
}

fn unproven_controls(observations: &[EgressObservation]) -> impl Iterator<Item = String> {
    let wanted = [Transport::Tcp, Transport::Udp]
        .into_iter()
        .flat_map(|transport| [(transport, Phase::Before), (transport, Phase::After)]);
    wanted.filter_map(move |(transport, phase)| {
        let tried: Vec<_> = controls(observations)
            .filter(|seen| (seen.transport, seen.phase) == (transport, phase))
            .collect();
        // A control that gets through only sometimes would explain silence.
        let reached = !tried.is_empty()
            && tried
                .iter()
                .all(|seen| seen.outcome == ProbeOutcome::Sent && seen.received == Some(true));
        let word = if phase == Phase::Before {
            "before"
        } else {
            "after"
        };
        (!reached).then(|| {
            format!(
                "the control did not reach the canary listener over {} {word} the attempt",
                transport_word(transport)
            )
        })
    })
}

/// Silence at one address says nothing about what the controls reached at another.
fn unproven_addresses(observations: &[EgressObservation]) -> Option<String> {
    let addresses: BTreeSet<_> = controls(observations)
        .chain(attempts(observations))
        .map(|seen| seen.address.as_str())
        .collect();
    (addresses.len() > 1 || addresses.contains("")).then(|| {
        format!(
            "controls and attempts did not aim at one address: {}",
            list(&addresses.into_iter().collect::<Vec<_>>(), 4)
        )
    })
}

fn controls(observations: &[EgressObservation]) -> impl Iterator<Item = &EgressObservation> {
    observations
        .iter()
        .filter(|seen| seen.origin == Origin::Control && seen.target == Target::Canary)
}

/// A sandbox whose allowed peer is out of reach may have no network at all: then nothing was blocked by a policy.
fn unproven_allowed_peer(observations: &[EgressObservation]) -> impl Iterator<Item = String> {
    [Via::Native, Via::Python].into_iter().filter_map(move |via| {
        let answered = observations
            .iter()
            .filter(|seen| seen.origin == Origin::Sandbox && seen.target == Target::AllowedPeer && seen.via == via)
            .any(|seen| seen.outcome == ProbeOutcome::Sent && seen.transport != Transport::Udp);
        (!answered).then(|| format!("the allowed peer did not answer the sandbox ({}), so it may have no network at all", via_word(via)))
    })
}

fn how(seen: &EgressObservation) -> String {
    format!(
        "{} ({}) to {}",
        transport_word(seen.transport),
        via_word(seen.via),
        seen.address
    )
}

const fn transport_word(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
        Transport::Http => "HTTP",
    }
}

const fn via_word(via: Via) -> &'static str {
    match via {
        Via::Native => "native probe",
        Via::Python => "Python code",
    }
}

const fn outcome_word(outcome: ProbeOutcome) -> &'static str {
    match outcome {
        ProbeOutcome::Sent => "went out",
        ProbeOutcome::Refused => "refused",
        ProbeOutcome::Timeout => "no answer in time",
        ProbeOutcome::Unreachable => "unreachable",
        ProbeOutcome::NotRun => "could not be run",
    }
}

fn facts(observations: &[EgressObservation]) -> Vec<Fact> {
    observations.iter().map(fact).collect()
}

fn fact(seen: &EgressObservation) -> Fact {
    let origin = if seen.origin == Origin::Sandbox {
        "sandbox"
    } else {
        "control"
    };
    let target = if seen.target == Target::Canary {
        "canary listener"
    } else {
        "allowed peer"
    };
    let phase = match seen.phase {
        Phase::Before => ", before",
        Phase::Attempt => "",
        Phase::After => ", after",
    };
    let receipt = match (seen.target, seen.received) {
        (Target::Canary, Some(true)) => "; received",
        (Target::Canary, Some(false)) => "; nothing received",
        (Target::Canary, None) => "; the listener could not be asked",
        (Target::AllowedPeer, _) => "",
    };
    let label = format!(
        "{origin} → {target}, {} ({}){phase}",
        transport_word(seen.transport),
        via_word(seen.via)
    );
    Fact::new(&label, format!("{}{receipt}", outcome_word(seen.outcome)))
}

#[cfg(test)]
pub(crate) mod tests;
