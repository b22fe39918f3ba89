use crate::verify::evidence::{CallOutcome, ImportOutcome, ImportedObject, TaskTranscript};
use crate::verify::portability::fixture::{bundle, carry, seal_price};
use crate::verify::portability::{
    OutputGoal, differences, import_identical, output_consistent, tools_discovered,
};
use portproof_proto::bundle::Bundle;
use serde_json::json;

fn consistent(a: &[TaskTranscript], b: &[TaskTranscript]) -> &'static str {
    output_consistent(a, b, OutputGoal::default())
        .verdict
        .word()
}

#[test]
fn tool_lists_that_are_empty_on_both_sides_prove_no_contract() {
    let mut carry = carry();
    for bundle in [&mut carry.source, &mut carry.target] {
        bundle.descriptors.clear();
    }
    assert_eq!(import_identical(&carry).verdict.word(), "inconclusive");
}

#[test]
fn a_bundle_of_nothing_but_its_crd_carried_no_tool() {
    let mut carry = carry();
    for bundle in [&mut carry.source, &mut carry.target] {
        *bundle = Bundle::new(&bundle.crds, &[], Vec::new());
    }
    carry
        .imported
        .retain(|object| object.object.starts_with("CustomResourceDefinition/"));
    assert_eq!(import_identical(&carry).verdict.word(), "inconclusive");
}

#[test]
fn an_outcome_that_is_not_known_is_no_refusal() {
    for outcome in [ImportOutcome::Unknown, ImportOutcome::NotTried] {
        let mut carry = carry();
        carry.imported[0].outcome = outcome;
        assert_eq!(import_identical(&carry).verdict.word(), "inconclusive");
    }
}

/// An identical object was there, and the import sent nothing for it.
fn found_there(object: &mut ImportedObject) {
    object.outcome = ImportOutcome::Present;
    object.request = None;
}

#[test]
fn an_import_that_found_everything_there_carried_nothing() {
    let mut carry = carry();
    carry.imported.iter_mut().for_each(found_there);
    let verdict = import_identical(&carry).verdict;
    assert_eq!(
        (verdict.word(), verdict.reason()),
        (
            "inconclusive",
            Some(
                "4 objects were on the target before the import, so nothing shows that they can be carried unchanged \
                 (ConfigMap/manuals, Tool/lookup-price, Tool/run-python and 1 more)"
            )
        )
    );
}

#[test]
fn one_tool_that_was_there_before_was_not_carried() {
    let mut carry = carry();
    let tool = carry.imported.last_mut().unwrap();
    assert!(tool.object.starts_with("Tool/"));
    found_there(tool);
    assert_eq!(import_identical(&carry).verdict.word(), "inconclusive");
}

#[test]
fn what_was_there_before_does_not_hide_a_change() {
    let mut carry = carry();
    carry.imported.iter_mut().for_each(found_there);
    carry.target.objects.last_mut().unwrap()["spec"]["description"] = json!("another");
    assert_eq!(import_identical(&carry).verdict.word(), "failed");
}

#[test]
fn numbers_that_only_look_alike_as_floats_are_not_identical() {
    let mut carry = carry();
    carry.source.objects[1]["spec"]["timeoutSeconds"] = json!(9_007_199_254_740_993_u64);
    carry.target.objects[1]["spec"]["timeoutSeconds"] = json!(9_007_199_254_740_992_u64);
    assert_ne!(import_identical(&carry).verdict.word(), "passed");
}

#[test]
fn calls_whose_answers_were_lost_say_nothing_about_the_tool() {
    for outcome in [CallOutcome::Timeout, CallOutcome::Transport] {
        let mut task = seal_price();
        task.calls[1].is_error = true;
        task.calls[1].result = None;
        task.calls[1].outcome = Some(outcome);
        let verdict = tools_discovered(&bundle(), &[task]).verdict;
        assert_eq!(verdict.word(), "inconclusive", "{verdict:?}");
    }
}

#[test]
fn an_answer_that_was_lost_may_have_been_the_good_one() {
    let mut task = seal_price();
    task.calls[1].is_error = true;
    task.calls[1].outcome = Some(CallOutcome::ToolError);
    let mut lost = task.calls[1].clone();
    lost.outcome = Some(CallOutcome::Timeout);
    task.calls.push(lost);
    let verdict = tools_discovered(&bundle(), &[task]).verdict;
    assert_eq!(verdict.word(), "inconclusive", "{verdict:?}");
}

#[test]
fn a_result_that_breaks_its_schema_is_no_answer() {
    let mut task = seal_price();
    task.calls[1].outcome = Some(CallOutcome::InvalidResult);
    assert_eq!(
        tools_discovered(&bundle(), &[task]).verdict.word(),
        "failed"
    );
}

#[test]
fn a_task_that_ran_twice_does_not_hide_its_first_answer() {
    let mut first = seal_price();
    first.answer = Some("1 EUR".into());
    let word = consistent(&[seal_price()], &[first, seal_price()]);
    assert_ne!(word, "passed");
}

#[test]
fn tasks_without_any_call_do_not_show_the_same_calls() {
    let mut idle = seal_price();
    idle.calls.clear();
    assert_eq!(consistent(&[idle.clone()], &[idle]), "inconclusive");
}

#[test]
fn answers_with_the_words_of_floats_are_equal_to_themselves() {
    for word in ["nan", "inf", "infinity", "NaN"] {
        let mut task = seal_price();
        task.answer = Some(format!("the result is {word}"));
        assert_eq!(consistent(&[task.clone()], &[task]), "passed", "{word}");
    }
}

#[test]
fn whole_numbers_have_no_tolerance() {
    let (one, other) = (
        json!({"order": 4_000_000_001_u64}),
        json!({"order": 4_000_000_002_u64}),
    );
    assert_eq!(differences(&one, &other, 1e-9).len(), 1);
    let answer = |order: &str| {
        let mut task = seal_price();
        task.answer = Some(format!("order {order} was placed"));
        task
    };
    let word = consistent(&[answer("4000000001")], &[answer("4000000002")]);
    assert_eq!(word, "failed");
}

#[test]
fn a_call_that_was_lost_on_the_way_is_trouble_even_when_the_task_was_answered() {
    let lost = |task: &mut TaskTranscript| {
        task.calls[1].is_error = true;
        task.calls[1].result = None;
        task.calls[1].outcome = Some(CallOutcome::Transport);
    };
    let (mut a, mut b) = (seal_price(), seal_price());
    lost(&mut b);
    assert_eq!(consistent(&[a.clone()], &[b.clone()]), "error");
    lost(&mut a);
    assert_eq!(consistent(&[a], &[b]), "error");
}

#[test]
fn calls_that_failed_in_different_ways_are_not_the_same() {
    let failed = |outcome| {
        let mut task = seal_price();
        task.calls[1].is_error = true;
        task.calls[1].result = None;
        task.calls[1].outcome = Some(outcome);
        task
    };
    let (a, b) = (failed(CallOutcome::ToolError), failed(CallOutcome::Refused));
    assert_eq!(consistent(&[a], &[b]), "failed");
}
