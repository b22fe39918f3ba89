use super::super::fixture::{count, fail, over, record, split};
use super::*;
use crate::verify::evidence::TrafficFailure;

const GOAL: WeightGoal = WeightGoal {
    canary_share: 0.1,
    tolerance: 0.02,
    confidence: 0.95,
};

fn verdict(record: &TrafficRecord) -> Verdict {
    canary_weight(record, &GOAL).verdict
}

fn reason(record: &TrafficRecord) -> (&'static str, String) {
    let verdict = verdict(record);
    (
        verdict.word(),
        verdict.reason().unwrap_or_default().to_owned(),
    )
}

#[test]
fn a_tenth_of_four_thousand_passes_as_a_tenth() {
    let result = canary_weight(&split(4_000, 10), &GOAL);
    assert_eq!(result.verdict, Verdict::Passed);
    assert_eq!(
        result.facts[0].value,
        "10.0 % of 4,000 answers (95.0 % Wilson interval 9.1 % to 11.0 %)"
    );
    assert_eq!(result.evidence["canary"], 400);
    assert_eq!(result.evidence["overTime"].as_array().unwrap().len(), 40);
}

#[test]
fn fifteen_percent_never_passes_as_ten() {
    let (word, why) = reason(&split(4_000, 15));
    assert_eq!(word, "failed");
    assert_eq!(
        why,
        "the canary got 15.0 % of 4,000 answers (95.0 % interval 13.9 % to 16.1 %), outside 10.0 % ± 2.0 points"
    );
}

#[test]
fn a_canary_without_traffic_fails_and_the_connections_are_counted() {
    let result = canary_weight(&over(split(4_000, 0), 100), &GOAL);
    assert_eq!(
        result.verdict.reason(),
        Some(
            "the canary got 0.0 % of 4,000 answers, on 0 of 100 connections \
             (95.0 % interval of connections 0.0 % to 3.6 %), outside 10.0 % ± 2.0 points"
        )
    );
    assert_eq!(result.verdict.word(), "failed");
    assert_eq!(result.evidence["trials"], "connections");
    assert_eq!(result.evidence["connections"]["number"], 100);
}

#[test]
fn twelve_percent_is_on_the_edge_and_inconclusive() {
    assert_eq!(verdict(&split(4_000, 12)).word(), "inconclusive");
}

#[test]
fn few_requests_are_inconclusive_even_with_the_right_share() {
    let (word, why) = reason(&split(500, 10));
    assert_eq!(word, "inconclusive");
    assert!(why.contains("more requests are needed"), "{why}");
}

#[test]
fn no_requests_prove_nothing() {
    assert_eq!(verdict(&TrafficRecord::default()).word(), "inconclusive");
}

#[test]
fn one_failed_request_fails_and_is_named() {
    let mut record = split(4_000, 10);
    fail(&mut record, 7..8, TrafficFailure::Status, Some(503));
    let (word, why) = reason(&record);
    assert_eq!(
        (word, why.as_str()),
        (
            "failed",
            "1 of 4,000 requests failed: 1 answered with a status outside 2xx (503: 1)"
        )
    );
}

#[test]
fn every_kind_of_failure_fails() {
    for failure in [
        TrafficFailure::Connect,
        TrafficFailure::Reset,
        TrafficFailure::Timeout,
        TrafficFailure::Protocol,
    ] {
        let mut record = split(4_000, 10);
        fail(&mut record, 7..8, failure, None);
        assert_eq!(verdict(&record).word(), "failed", "{failure:?}");
    }
}

#[test]
fn a_saturated_generator_is_inconclusive() {
    let mut record = split(4_000, 10);
    fail(&mut record, 0..50, TrafficFailure::Dropped, None);
    let (word, why) = reason(&record);
    assert_eq!(word, "inconclusive");
    assert!(why.contains("50 were never sent"), "{why}");
}

#[test]
fn samples_that_are_missing_count_as_never_sent() {
    let mut record = split(4_000, 10);
    record.samples.truncate(3_900);
    count(&mut record);
    assert_eq!(verdict(&record).word(), "inconclusive");
}

#[test]
fn requests_that_left_a_second_late_are_inconclusive() {
    let mut record = split(4_000, 10);
    record
        .samples
        .iter_mut()
        .take(50)
        .for_each(|sample| sample.sent_ns += 1_500_000_000);
    assert_eq!(verdict(&record).word(), "inconclusive");
}

#[test]
fn timeouts_of_a_saturated_generator_are_not_the_gateways() {
    let mut record = split(4_000, 10);
    fail(&mut record, 0..50, TrafficFailure::Dropped, None);
    fail(&mut record, 50..60, TrafficFailure::Timeout, None);
    assert_eq!(verdict(&record).word(), "inconclusive");
}

#[test]
fn a_status_outside_2xx_fails_even_with_a_saturated_generator() {
    let mut record = split(4_000, 10);
    fail(&mut record, 0..50, TrafficFailure::Dropped, None);
    fail(&mut record, 50..60, TrafficFailure::Status, Some(500));
    assert_eq!(verdict(&record).word(), "failed");
}

#[test]
fn an_answer_without_a_backend_is_inconclusive() {
    let mut record = split(4_000, 10);
    record.samples[3].backend = None;
    count(&mut record);
    assert_eq!(verdict(&record).word(), "inconclusive");
}

#[test]
fn an_answer_of_a_stranger_fails() {
    let mut record = split(4_000, 10);
    record.samples[3].backend = Some("model-old".into());
    count(&mut record);
    let (word, why) = reason(&record);
    assert_eq!(word, "failed");
    assert!(why.contains("`model-old`"), "{why}");
}

#[test]
fn backends_that_counted_something_else_are_inconclusive() {
    let mut record = split(4_000, 10);
    *record.received.get_mut("model-canary").unwrap() += 1;
    let (word, why) = reason(&record);
    assert_eq!(
        (word, why.as_str()),
        (
            "inconclusive",
            "clients saw 400 answers of `model-canary`, which itself counted 401"
        )
    );
}

#[test]
fn backends_that_were_not_asked_contradict_nothing() {
    let mut record = split(4_000, 10);
    record.received.clear();
    assert_eq!(verdict(&record), Verdict::Passed);
}

#[test]
fn answers_that_stick_to_connections_are_no_independent_trials() {
    let mut sticky = record(4_000, |index| {
        (index / 7) % 16 == 3 && index % 2 == 0 || (index / 7) % 16 == 9
    });
    sticky.received.clear();
    let (word, why) = reason(&sticky);
    assert_eq!(word, "inconclusive");
    assert!(why.contains("stick to the 16 connections"), "{why}");
    assert!(!why.contains("0e0"), "{why}");
}

#[test]
fn a_backend_of_weight_zero_gets_nothing() {
    let goal = WeightGoal {
        canary_share: 0.0,
        ..GOAL
    };
    assert_eq!(
        canary_weight(&split(4_000, 0), &goal).verdict,
        Verdict::Passed
    );
    assert_eq!(
        canary_weight(&record(4_000, |index| index == 5), &goal)
            .verdict
            .word(),
        "failed"
    );
    let all = WeightGoal {
        canary_share: 1.0,
        ..GOAL
    };
    assert_eq!(
        canary_weight(&split(4_000, 100), &all).verdict,
        Verdict::Passed
    );
    assert_eq!(
        canary_weight(&record(4_000, |index| index != 5), &all)
            .verdict
            .word(),
        "failed"
    );
}
