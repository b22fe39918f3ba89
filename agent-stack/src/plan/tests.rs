use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

fn offered() -> BTreeSet<String> {
    ["search", "price"].into_iter().map(str::to_owned).collect()
}

fn plan(value: &Value) -> Plan {
    Plan::parse(&value.to_string()).unwrap()
}

fn resolved(argument: Value, results: &BTreeMap<String, Value>) -> Result<Value, PlanError> {
    let arguments = Map::from_iter([("a".to_owned(), argument)]);
    resolve(&arguments, results).map(|mut found| found.remove("a").unwrap())
}

#[test]
fn a_reference_stands_for_a_value_of_an_earlier_result() {
    let results = BTreeMap::from([("step-1".to_owned(), json!({"hits": [{"sku": "SKU-1"}]}))]);
    let found = resolved(
        json!({"from": "step-1", "pointer": "/hits/0/sku"}),
        &results,
    );
    assert_eq!(found.unwrap(), "SKU-1");
}

#[test]
fn a_reference_to_nothing_is_an_error_and_never_null() {
    let results = BTreeMap::from([("step-1".to_owned(), json!({"hits": []}))]);
    let found = resolved(
        json!({"from": "step-1", "pointer": "/hits/0/sku"}),
        &results,
    );
    assert_eq!(
        found,
        Err(PlanError::NoValue {
            from: "step-1".into(),
            pointer: "/hits/0/sku".into()
        })
    );
}

#[test]
fn a_template_takes_values_as_literals() {
    let results = BTreeMap::from([(
        "s".to_owned(),
        json!({"price": 42.5, "name": "a\"); evil("}),
    )]);
    let argument = json!({"template": "f({{p}}, {{n}})", "values": {
        "p": {"from": "s", "pointer": "/price"}, "n": {"from": "s", "pointer": "/name"}}});
    assert_eq!(
        resolved(argument, &results).unwrap(),
        r#"f(42.5, "a\"); evil(")"#
    );
}

#[test]
fn a_template_without_its_value_is_an_error() {
    let argument = json!({"template": "{{x}}", "values": {}});
    assert_eq!(
        resolved(argument, &BTreeMap::new()),
        Err(PlanError::Placeholder {
            placeholder: "x".into()
        })
    );
}

#[test]
fn a_plan_may_stand_in_a_code_fence() {
    let parsed = Plan::parse("```json\n{\"steps\": [], \"missing\": [\"x\"]}\n```").unwrap();
    assert_eq!(parsed.missing, ["x"]);
}

#[test]
fn a_plan_that_lacks_a_tool_is_refused_with_what_it_needs() {
    let lacking = plan(&json!({"steps": [], "missing": ["a price"]}));
    assert_eq!(
        lacking.check(&offered()),
        Err(PlanError::Missing {
            needs: vec!["a price".into()]
        })
    );
}

#[test]
fn a_plan_may_only_call_what_was_offered() {
    let wrong = plan(&json!({"steps": [{"id": "1", "tool": "shell"}]}));
    assert_eq!(
        wrong.check(&offered()),
        Err(PlanError::UnknownTool {
            step: "1".into(),
            tool: "shell".into()
        })
    );
}

#[test]
fn a_step_may_only_refer_to_earlier_ones() {
    let wrong = plan(&json!({"steps": [
        {"id": "1", "tool": "search", "arguments": {"q": [{"from": "2", "pointer": ""}]}},
        {"id": "2", "tool": "price"}]}));
    assert_eq!(
        wrong.check(&offered()),
        Err(PlanError::UnknownStep { from: "2".into() })
    );
}

#[test]
fn a_step_waits_for_what_it_refers_to_and_for_what_it_names() {
    let parsed = plan(&json!({"steps": [
        {"id": "1", "tool": "search"},
        {"id": "2", "tool": "search"},
        {"id": "3", "tool": "price", "after": ["2"], "arguments":
            {"a": [{"template": "{{x}}", "values": {"x": {"from": "1", "pointer": "/y"}}}]}}]}));
    assert_eq!(parsed.check(&offered()), Ok(()));
    let waits: Vec<_> = parsed.steps.iter().map(Step::waits_for).collect();
    assert_eq!(
        waits,
        [BTreeSet::new(), BTreeSet::new(), BTreeSet::from(["1", "2"])]
    );
}

#[test]
fn a_step_may_only_run_after_earlier_ones() {
    let wrong = plan(&json!({"steps": [{"id": "1", "tool": "search", "after": ["1"]}]}));
    let expected = PlanError::UnknownPredecessor {
        step: "1".into(),
        after: "1".into(),
    };
    assert_eq!(wrong.check(&offered()), Err(expected));
}

#[test]
fn an_empty_plan_and_a_repeated_id_are_refused() {
    assert_eq!(
        Plan::default().check(&offered()),
        Err(PlanError::Length { count: 0 })
    );
    let twice =
        plan(&json!({"steps": [{"id": "1", "tool": "search"}, {"id": "1", "tool": "price"}]}));
    assert_eq!(
        twice.check(&offered()),
        Err(PlanError::DuplicateStep { step: "1".into() })
    );
}

#[test]
fn a_description_keeps_the_schema_of_its_result() {
    let schema = json!({"type": "object"});
    assert_eq!(
        described(&describe("Finds things.", Some(&schema))),
        ("Finds things.", Some(schema))
    );
    assert_eq!(
        described(&describe("Finds things.", None)),
        ("Finds things.", None)
    );
}

proptest! {
    #[test]
    fn arguments_without_references_stay_as_they_are(text in "\\PC{0,20}", number in any::<i32>()) {
        let argument = json!({"text": text, "items": [number, {"from": "only one member"}]});
        prop_assert_eq!(resolved(argument.clone(), &BTreeMap::new()), Ok(argument));
    }
}
