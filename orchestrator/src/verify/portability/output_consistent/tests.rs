use super::super::fixture::seal_price;
use super::*;

fn judged(a: &[TaskTranscript], b: &[TaskTranscript]) -> (&'static str, String) {
    let verdict = output_consistent(a, b, OutputGoal::default()).verdict;
    (
        verdict.word(),
        verdict.reason().unwrap_or_default().to_owned(),
    )
}

fn against(change: impl FnOnce(&mut TaskTranscript)) -> (&'static str, String) {
    let mut other = seal_price();
    change(&mut other);
    judged(&[seal_price()], &[other])
}

#[test]
fn the_same_work_passes_under_other_call_and_trace_ids() {
    let verdict = against(|task| {
        task.trace_id = "f".repeat(32);
        task.calls
            .iter_mut()
            .for_each(|call| call.call_id.push('x'));
    });
    assert_eq!(verdict.0, "passed");
}

#[test]
fn a_changed_price_fails_with_its_pointer() {
    let (word, why) =
        against(|task| task.calls[1].result = Some(json!({"unitPrice": 13.5, "currency": "EUR"})));
    assert_eq!(
        (word, why.as_str()),
        (
            "failed",
            "task `seal-price`: the result of lookup_price differs at /unitPrice: 12.5 became 13.5"
        )
    );
}

#[test]
fn a_changed_argument_fails() {
    assert!(
        against(|task| task.calls[1].arguments["sku"] = json!("SEAL-200"))
            .1
            .contains("an argument of lookup_price differs at /sku")
    );
}

#[test]
fn another_tool_or_another_order_or_one_call_less_fails() {
    assert_eq!(
        against(|task| task.calls[0].tool = "shell".into()).0,
        "failed"
    );
    assert_eq!(against(|task| task.calls.swap(0, 1)).0, "failed");
    assert_eq!(against(|task| drop(task.calls.pop())).0, "failed");
}

#[test]
fn another_answer_fails_and_a_rounding_error_does_not() {
    assert_eq!(
        against(|task| task.answer =
            Some("3 units of SEAL-100 cost 37.26 EUR with 8 % discount.".into()))
        .0,
        "failed"
    );
    assert_eq!(
        against(|task| task.answer =
            Some("3 units of SEAL-100 cost 34.500000000001 EUR with 8 % discount.".into()))
        .0,
        "passed"
    );
    assert_eq!(
        against(|task| task.answer =
            Some("Three units of SEAL-100 cost 34.50 EUR with 8 % discount.".into()))
        .0,
        "failed"
    );
}

#[test]
fn a_number_in_a_result_may_differ_by_a_rounding_error() {
    assert_eq!(
        against(|task| task.calls[1].result =
            Some(json!({"unitPrice": 12.500_000_000_001, "currency": "EUR"})))
        .0,
        "passed"
    );
}

#[test]
fn a_tool_that_fails_on_one_side_fails() {
    let (word, why) = against(|task| task.calls[2].is_error = true);
    assert_eq!(word, "failed");
    assert!(
        why.contains("run_python failed on the target only"),
        "{why}"
    );
    let (word, _) = against(|task| {
        task.calls[2].is_error = true;
        task.answer = None;
        task.failure = Some("tool: sandbox refused".into());
    });
    assert_eq!(word, "failed");
}

#[test]
fn a_task_that_broke_off_is_trouble_and_no_verdict() {
    let (word, why) = against(|task| {
        task.calls.pop();
        task.answer = None;
        task.failure = Some("model: connection refused".into());
    });
    assert_eq!(word, "error");
    assert!(
        why.contains("broke off on the target: model: connection refused"),
        "{why}"
    );
}

#[test]
fn a_call_whose_answer_was_lost_is_trouble_and_says_nothing_about_the_tool() {
    for outcome in [CallOutcome::Timeout, CallOutcome::Transport] {
        let (word, _) = against(|task| {
            task.calls[2].is_error = true;
            task.calls[2].outcome = Some(outcome);
            task.calls[2].result = None;
            task.answer = None;
            task.failure = Some("gateway: no route".into());
        });
        assert_eq!(word, "error", "{outcome:?}");
    }
    for outcome in [CallOutcome::ToolError, CallOutcome::InvalidResult] {
        let (word, _) = against(|task| {
            task.calls[2].is_error = true;
            task.calls[2].outcome = Some(outcome);
            task.answer = None;
        });
        assert_eq!(word, "failed", "{outcome:?}");
    }
}

#[test]
fn a_proven_difference_weighs_more_than_trouble_elsewhere() {
    let (mut other, mut broken) = (seal_price(), seal_price());
    other.answer = Some("nothing".into());
    broken.task_id = "second".into();
    let mut broken_on_b = broken.clone();
    broken_on_b.answer = None;
    assert_eq!(
        judged(&[seal_price(), broken], &[other, broken_on_b]).0,
        "failed"
    );
}

#[test]
fn tasks_that_ran_on_one_side_only_or_nowhere_prove_nothing() {
    assert_eq!(judged(&[seal_price()], &[]).0, "inconclusive");
    assert_eq!(judged(&[], &[seal_price()]).0, "inconclusive");
    assert_eq!(judged(&[], &[]).0, "inconclusive");
    let unanswered = TaskTranscript {
        answer: None,
        failure: Some("x".into()),
        ..seal_price()
    };
    assert_eq!(
        judged(
            std::slice::from_ref(&unanswered),
            std::slice::from_ref(&unanswered)
        )
        .0,
        "inconclusive"
    );
}
