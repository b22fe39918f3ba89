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

fn changed(index: usize, change: impl FnOnce(&mut EgressObservation)) -> (&'static str, String) {
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
