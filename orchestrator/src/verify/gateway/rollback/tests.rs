use super::super::fixture::{change, count, fail, record, rolled_back, split};
use super::*;

const MS: u64 = 1_000_000;

fn judge_record(record: &TrafficRecord) -> (&'static str, String) {
    let verdict = rollback(record, &change(), &RollbackGoal::default()).verdict;
    (
        verdict.word(),
        verdict.reason().unwrap_or_default().to_owned(),
    )
}

#[test]
fn a_complete_rollback_passes_and_says_when_the_canary_was_last_seen() {
    let result = rollback(
        &rolled_back(130 * MS, 0),
        &change(),
        &RollbackGoal::default(),
    );
    assert_eq!(result.verdict, Verdict::Passed);
    assert!(
        result.facts[1].value.ends_with("ms after the rollback"),
        "{:?}",
        result.facts
    );
    assert!(result.evidence["lastCanaryNs"].as_u64().unwrap() <= 130 * MS);
    assert!(
        result
            .facts
            .iter()
            .any(|fact| fact.value.contains("95 % confidence below 0.07 %")),
        "{:?}",
        result.facts
    );
}

#[test]
fn a_rollback_at_once_passes() {
    let result = rollback(&rolled_back(0, 0), &change(), &RollbackGoal::default());
    assert_eq!(result.verdict, Verdict::Passed);
    assert!(result.evidence["lastCanaryNs"].is_null());
}

#[test]
fn five_percent_left_on_the_canary_fail() {
    let (word, why) = judge_record(&rolled_back(0, 5));
    assert_eq!(word, "failed");
    assert!(why.contains("more than 3.0 s after the rollback"), "{why}");
}

#[test]
fn one_request_after_the_budget_fails() {
    let mut late = rolled_back(0, 0);
    late.samples.last_mut().unwrap().backend = Some("model-canary".into());
    count(&mut late);
    assert_eq!(judge_record(&late).0, "failed");
}

#[test]
fn a_record_that_ends_too_early_is_inconclusive() {
    let mut short = rolled_back(0, 0);
    short.samples.truncate(1_200);
    short.scheduled = 1_200;
    count(&mut short);
    let (word, why) = judge_record(&short);
    assert_eq!(word, "inconclusive");
    assert!(why.contains("459 are needed"), "{why}");
}

#[test]
fn a_canary_seen_inside_the_budget_starts_the_count_again() {
    let mut record = rolled_back(0, 0);
    record.samples.truncate(1_600);
    record.scheduled = 1_600;
    record.samples[1_590].backend = Some("model-canary".into());
    count(&mut record);
    let (word, why) = judge_record(&record);
    assert_eq!(word, "inconclusive");
    assert!(why.starts_with("only 9 stable answers"), "{why}");
}

#[test]
fn without_a_canary_before_there_is_nothing_to_roll_back() {
    let (word, why) = judge_record(&split(4_000, 0));
    assert_eq!(word, "inconclusive");
    assert!(why.contains("never seen before"), "{why}");
}

#[test]
fn a_change_to_other_weights_is_no_rollback() {
    let skewed = SplitChange {
        asked: (95, 5),
        ..change()
    };
    let verdict = rollback(&rolled_back(0, 0), &skewed, &RollbackGoal::default()).verdict;
    assert_eq!(verdict.word(), "inconclusive");
}

#[test]
fn a_failed_request_anywhere_fails() {
    for index in [10, 805, 3_000] {
        let mut record = rolled_back(100 * MS, 0);
        fail(&mut record, index..=index, TrafficFailure::Reset, None);
        let (word, why) = judge_record(&record);
        assert_eq!(
            (word, why.as_str()),
            ("failed", "1 of 4,000 requests failed: 1 reset")
        );
    }
}

#[test]
fn a_saturated_generator_is_inconclusive() {
    let mut record = rolled_back(100 * MS, 0);
    fail(&mut record, 0..60, TrafficFailure::Dropped, None);
    assert_eq!(judge_record(&record).0, "inconclusive");
}

#[test]
fn an_answer_without_a_backend_is_inconclusive() {
    let mut record = rolled_back(100 * MS, 0);
    record.samples[3_900].backend = None;
    count(&mut record);
    assert_eq!(judge_record(&record).0, "inconclusive");
}

#[test]
fn a_request_sent_before_the_acknowledgement_may_still_reach_the_canary() {
    let early = record(4_000, |index| index < 800 && index % 10 == 0);
    assert_eq!(judge_record(&early).0, "passed");
}

#[test]
fn the_buckets_hold_every_request_that_was_sent() {
    let mut record = rolled_back(130 * MS, 0);
    fail(&mut record, 0..20, TrafficFailure::Dropped, None);
    record.samples[0].sent_ns = 0;
    let result = rollback(&record, &change(), &RollbackGoal::default());
    let buckets = result.evidence["timeline"]["buckets"]
        .as_array()
        .unwrap()
        .clone();
    let total: u64 = buckets
        .iter()
        .flat_map(|bucket| bucket.as_array().unwrap())
        .map(|count| count.as_u64().unwrap())
        .sum();
    assert_eq!((total, buckets.len()), (3_980, 101));
}
