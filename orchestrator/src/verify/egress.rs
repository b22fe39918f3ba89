//! `sandbox/egress-basic`: what untrusted code can reach, judged by what the far end received.
//!
//! The rule is a sandwich: the control pod reaches the canary listener before and after the attempt, so silence in
//! between means blocked and not broken. The listener's own record decides; a client's timeout alone proves nothing.

use super::catalogue::{EGRESS_BASIC, failed, inconclusive};
use super::evidence::{EgressObservation, Origin, Phase, ProbeOutcome, Target, Transport, Via};
use super::measure::list;
use super::{CheckResult, Fact, Verdict};
use serde_json::json;

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
            .filter(|seen| (seen.transport, seen.via) == (transport, via))
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
        let reached = observations
            .iter()
            .filter(|seen| seen.origin == Origin::Control && seen.target == Target::Canary)
            .any(|seen| {
                (seen.transport, seen.phase) == (transport, phase)
                    && seen.outcome == ProbeOutcome::Sent
                    && seen.received == Some(true)
            });
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

/// A sandbox whose allowed peer is out of reach may have no network at all: then nothing was blocked by a policy.
fn unproven_allowed_peer(observations: &[EgressObservation]) -> impl Iterator<Item = String> {
    [Via::Native, Via::Python].into_iter().filter_map(move |via| {
        let answered = observations
            .iter()
            .filter(|seen| seen.origin == Origin::Sandbox && seen.target == Target::AllowedPeer && seen.via == via)
            .any(|seen| seen.outcome == ProbeOutcome::Sent);
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
pub(crate) mod tests {
    use super::*;

    fn seen(
        origin: Origin,
        target: Target,
        transport: Transport,
        via: Via,
        phase: Phase,
    ) -> EgressObservation {
        let control = origin == Origin::Control;
        EgressObservation {
            origin,
            target,
            transport,
            via,
            phase,
            outcome: match (control, target, transport) {
                (true, _, _) | (_, Target::AllowedPeer, _) | (_, _, Transport::Udp) => {
                    ProbeOutcome::Sent
                }
                _ => ProbeOutcome::Timeout,
            },
            detail: String::new(),
            received: Some(control || target == Target::AllowedPeer),
            address: "10.0.0.9:4433".into(),
        }
    }

    /// Controls, attempts, controls, and both probes of the allowed peer: 4 + 4 + 2.
    pub(crate) fn good() -> Vec<EgressObservation> {
        let mut all = Vec::new();
        for phase in [Phase::Before, Phase::After] {
            for transport in [Transport::Tcp, Transport::Udp] {
                all.push(seen(
                    Origin::Control,
                    Target::Canary,
                    transport,
                    Via::Native,
                    phase,
                ));
            }
        }
        for (transport, via) in ATTEMPTS {
            all.push(seen(
                Origin::Sandbox,
                Target::Canary,
                transport,
                via,
                Phase::Attempt,
            ));
        }
        for via in [Via::Native, Via::Python] {
            all.push(seen(
                Origin::Sandbox,
                Target::AllowedPeer,
                Transport::Http,
                via,
                Phase::Attempt,
            ));
        }
        all
    }

    fn judged(observations: &[EgressObservation]) -> (&'static str, String) {
        let verdict = egress_basic(observations).verdict;
        (
            verdict.word(),
            verdict.reason().unwrap_or_default().to_owned(),
        )
    }

    fn changed(
        index: usize,
        change: impl FnOnce(&mut EgressObservation),
    ) -> (&'static str, String) {
        let mut all = good();
        change(&mut all[index]);
        judged(&all)
    }

    #[test]
    fn a_silent_canary_between_two_controls_passes() {
        assert_eq!(judged(&good()).0, "passed");
        let facts = egress_basic(&good()).facts;
        assert_eq!(
            (facts[4].label.as_str(), facts[4].value.as_str()),
            (
                "sandbox → canary listener, TCP (native probe)",
                "no answer in time; nothing received"
            )
        );
    }

    #[test]
    fn a_receipt_over_any_transport_and_means_is_a_leak_even_when_the_client_saw_a_timeout() {
        for index in 4..8 {
            let (word, why) = changed(index, |seen| {
                seen.received = Some(true);
                seen.outcome = ProbeOutcome::Timeout;
            });
            assert_eq!(word, "failed", "{why}");
        }
    }

    #[test]
    fn a_tcp_connection_is_a_leak_even_without_a_receipt() {
        for received in [Some(false), None] {
            let (word, _) = changed(4, |seen| {
                (seen.outcome, seen.received) = (ProbeOutcome::Sent, received);
            });
            assert_eq!(word, "failed");
        }
    }

    #[test]
    fn a_leak_weighs_more_than_a_missing_control() {
        let mut all = good();
        all[7].received = Some(true);
        all.remove(0);
        assert_eq!(judged(&all).0, "failed");
    }

    #[test]
    fn without_any_one_of_the_observations_there_is_no_pass() {
        for index in 0..good().len() {
            let mut all = good();
            all.remove(index);
            assert_eq!(judged(&all).0, "inconclusive", "without {index}");
        }
        assert_eq!(judged(&[]).0, "inconclusive");
    }

    #[test]
    fn a_probe_that_could_not_be_run_is_no_evidence() {
        for index in 0..good().len() {
            let (word, _) = changed(index, |seen| seen.outcome = ProbeOutcome::NotRun);
            assert_eq!(word, "inconclusive", "{index}");
        }
    }

    #[test]
    fn a_listener_that_could_not_be_asked_is_no_evidence() {
        for index in 0..8 {
            assert_eq!(
                changed(index, |seen| seen.received = None).0,
                "inconclusive",
                "{index}"
            );
        }
    }

    #[test]
    fn a_control_that_does_not_get_through_makes_silence_worthless() {
        for index in 0..4 {
            let (word, why) = changed(index, |seen| seen.received = Some(false));
            assert_eq!(word, "inconclusive");
            assert!(why.contains("the control did not reach"), "{why}");
        }
    }

    #[test]
    fn a_dead_allowed_peer_may_mean_a_dead_network() {
        let (word, why) = changed(8, |seen| seen.outcome = ProbeOutcome::Timeout);
        assert_eq!(word, "inconclusive");
        assert!(why.contains("no network at all"), "{why}");
    }

    #[test]
    fn a_refusal_blocks_as_well_as_silence() {
        assert_eq!(
            changed(4, |seen| seen.outcome = ProbeOutcome::Refused).0,
            "passed"
        );
        assert_eq!(
            changed(5, |seen| seen.outcome = ProbeOutcome::Unreachable).0,
            "passed"
        );
    }
}
