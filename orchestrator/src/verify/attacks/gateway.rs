use crate::verify::evidence::{ByName, TrafficFailure, TrafficRecord};
use crate::verify::gateway::fixture::{change, count, fail, over, record, rolled_back, split};
use crate::verify::gateway::{RollbackGoal, WeightGoal, canary_weight, rollback};

const GOAL: WeightGoal = WeightGoal {
    canary_share: 0.1,
    tolerance: 0.02,
    confidence: 0.95,
};

fn weight(record: &TrafficRecord) -> &'static str {
    canary_weight(record, &GOAL).verdict.word()
}

fn rolled(record: &TrafficRecord) -> &'static str {
    rollback(record, &change(), &RollbackGoal::default())
        .verdict
        .word()
}

#[test]
fn samples_that_arrive_twice_do_not_narrow_the_interval() {
    let mut record = split(800, 10);
    assert_eq!(weight(&record), "inconclusive");
    let again = record.samples.clone();
    record.samples.extend(again.clone());
    record.samples.extend(again);
    count(&mut record);
    assert_eq!(weight(&record), "inconclusive");
}

#[test]
fn confirmations_that_arrive_twice_do_not_confirm_a_rollback() {
    let mut record = rolled_back(134_000_000, 0);
    let again = record.samples.clone();
    record.samples.extend(again);
    count(&mut record);
    assert_eq!(rolled(&record), "inconclusive");
}

#[test]
fn a_gateway_that_was_never_reached_is_not_known_to_fail() {
    for failure in [TrafficFailure::Connect, TrafficFailure::Timeout] {
        let mut record = split(4_000, 10);
        fail(&mut record, 0..4_000, failure, None);
        record.received.clear();
        assert_eq!(weight(&record), "inconclusive", "{failure:?}");
        assert_eq!(rolled(&record), "inconclusive", "{failure:?}");
    }
}

#[test]
fn goals_that_are_no_numbers_neither_pass_nor_fail() {
    for share in [f64::NAN, 0.1] {
        for tolerance in [f64::NAN, f64::INFINITY, -0.02, 1.5] {
            for confidence in [0.95, f64::NAN] {
                let goal = WeightGoal {
                    canary_share: share,
                    tolerance,
                    confidence,
                };
                let word = canary_weight(&split(4_000, 10), &goal).verdict.word();
                assert_eq!(word, "inconclusive", "{goal:?}");
            }
        }
    }
}

#[test]
fn a_confidence_that_is_none_proves_nothing() {
    for confidence in [f64::NAN, -1.0, 0.0, 1.0, 2.0] {
        let goal = WeightGoal { confidence, ..GOAL };
        let word = canary_weight(&split(4_000, 10), &goal).verdict.word();
        assert_eq!(word, "inconclusive", "{confidence}");
    }
}

#[test]
fn a_few_connections_do_not_tell_a_pinned_route_from_a_wrong_one() {
    for (share, all_canary) in [(0.1, false), (0.5, false), (0.9, true), (0.9, false)] {
        let goal = WeightGoal {
            canary_share: share,
            ..GOAL
        };
        let one = over(record(4_000, |_| all_canary), 1);
        let word = canary_weight(&one, &goal).verdict.word();
        assert_eq!(word, "inconclusive", "{share} {all_canary}");
    }
    // A route that chooses for each connection sends none of these to a canary of ten percent in 18 % of all runs.
    let sixteen = canary_weight(&over(split(4_000, 0), 16), &GOAL).verdict;
    assert_eq!(sixteen.word(), "inconclusive");
    let why = sixteen.reason().unwrap_or_default();
    assert!(why.ends_with("more connections are needed"), "{why}");
}

#[test]
fn a_canary_that_no_connection_ever_meets_fails() {
    // 45 connections miss even the eight percent that the tolerance allows in less than 2.5 % of all runs.
    for (connections, word) in [(44, "inconclusive"), (45, "failed"), (100, "failed")] {
        assert_eq!(weight(&over(split(4_000, 0), connections)), word);
    }
}

#[test]
fn a_canary_that_was_not_there_is_no_wrong_weight() {
    let mut record = over(split(4_000, 0), 100);
    assert_eq!(weight(&record), "failed");
    record.received.remove("model-canary");
    assert_eq!(weight(&record), "inconclusive");
    // Where nobody was asked, nobody is missing.
    record.received.clear();
    assert_eq!(weight(&record), "failed");
}

#[test]
fn a_backend_that_did_not_tell_its_count_is_not_said_to_have_counted_nothing() {
    let mut record = split(4_000, 10);
    record.received.remove("model-canary");
    let verdict = canary_weight(&record, &GOAL).verdict;
    assert_eq!(verdict.word(), "inconclusive");
    let why = verdict.reason().unwrap_or_default();
    assert!(why.starts_with("`model-canary` did not say"), "{why}");
}

/// The gateway may be right and the canary gone.
#[test]
fn a_canary_that_does_not_answer_to_its_name_proves_no_wrong_weight() {
    let asked = |answered| TrafficRecord {
        by_name: Some(ByName {
            asked: 200,
            answered,
        }),
        ..over(split(4_000, 0), 100)
    };
    assert_eq!(weight(&asked(0)), "inconclusive");
    assert_eq!(weight(&asked(200)), "failed");
}

#[test]
fn one_divided_connection_shows_that_requests_are_chosen_for() {
    let one_answer = over(record(4_000, |index| index == 2_000), 16);
    assert_eq!(weight(&one_answer), "failed");
}

#[test]
fn weights_of_nothing_and_everything_need_no_more_connections() {
    for (share, percent) in [(0.0, 0), (1.0, 100)] {
        let goal = WeightGoal {
            canary_share: share,
            ..GOAL
        };
        let judge = |record| canary_weight(&record, &goal).verdict.word();
        assert_eq!(judge(over(split(4_000, percent), 16)), "passed");
        assert_eq!(judge(over(split(4_000, 100 - percent), 16)), "failed");
        let one_strays = record(4_000, |index| (index == 5) != (percent == 100));
        assert_eq!(judge(over(one_strays, 16)), "failed");
    }
}

#[test]
fn a_change_without_times_says_nothing_about_what_came_after_it() {
    for (sent, acknowledged) in [(change().sent_ns, 0), (0, 0)] {
        let mut change = change();
        (change.sent_ns, change.acknowledged_ns) = (sent, acknowledged);
        let verdict = rollback(
            &rolled_back(134_000_000, 0),
            &change,
            &RollbackGoal::default(),
        )
        .verdict;
        assert_eq!(verdict.word(), "inconclusive", "{verdict:?}");
    }
}
