use crate::verify::egress::egress_basic;
use crate::verify::egress::tests::good;
use crate::verify::evidence::{EgressObservation, Phase, Transport};

fn word(observations: &[EgressObservation]) -> &'static str {
    egress_basic(observations).verdict.word()
}

#[test]
fn an_attempt_at_another_address_than_the_controls_proves_nothing() {
    for index in 0..8 {
        let mut all = good();
        all[index].address = "10.0.0.77:4433".into();
        assert_eq!(word(&all), "inconclusive", "{index}");
    }
}

#[test]
fn an_attempt_without_an_address_proves_nothing() {
    let mut all = good();
    for seen in &mut all {
        seen.address.clear();
    }
    assert_eq!(word(&all), "inconclusive");
}

#[test]
fn an_attempt_outside_of_the_sandwich_proves_nothing() {
    for phase in [Phase::Before, Phase::After] {
        let mut all = good();
        all[4].phase = phase;
        assert_eq!(word(&all), "inconclusive", "{phase:?}");
    }
}

#[test]
fn a_control_that_gets_through_only_sometimes_is_no_control() {
    let mut all = good();
    let mut lost = all[0].clone();
    lost.received = Some(false);
    all.push(lost);
    assert_eq!(word(&all), "inconclusive");
}

#[test]
fn a_datagram_towards_the_allowed_peer_shows_no_network() {
    let mut all = good();
    all[8].transport = Transport::Udp;
    assert_eq!(word(&all), "inconclusive");
}
