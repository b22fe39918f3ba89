//! Which tools a request takes, in which order, with what.

use super::*;

#[test]
fn the_plan_searches_looks_up_and_computes() {
    let plan = plan_for(&request(REQUEST, offers()), RefPlannerV1);
    assert_eq!(tools(&plan), ["find_docs", "catalog_price", "py"]);
    assert_eq!(
        plan.steps[0].arguments["query"],
        "replacement seal pump P-100"
    );
    let reference = json!({"from": "step-1", "pointer": "/hits/0/sku"});
    assert_eq!(plan.steps[1].arguments["sku"], reference);
    let expected = json!({
        "discount": 800,
        "lines": [{"price": {"from": "step-2", "pointer": "/unitPrice"}, "quantity": 3, "currency": null}]
    });
    assert_eq!(plan.steps[2].arguments["code"]["values"], expected);
}

#[test]
fn the_first_version_takes_one_step_after_the_other() {
    let plan = plan_for(&request(ERRAND, offers()), RefPlannerV1);
    for pair in plan.steps.windows(2) {
        assert!(
            pair[1].waits_for().contains(pair[0].id.as_str()),
            "{plan:?}"
        );
    }
}

#[test]
fn the_second_version_lets_independent_steps_run_side_by_side() {
    let plan = plan_for(&request(ERRAND, offers()), RefPlannerV2);
    let waits: Vec<_> = plan
        .steps
        .iter()
        .map(|step| (step.tool.as_str(), step.waits_for().len()))
        .collect();
    assert_eq!(
        waits,
        [
            ("find_docs", 0),
            ("find_docs", 0),
            ("catalog_price", 1),
            ("catalog_price", 0),
            ("catalog_price", 1),
            ("py", 3)
        ]
    );
}

#[test]
fn a_plan_of_either_version_can_be_carried_out() {
    let offered = offers();
    let names = offered
        .iter()
        .map(|offer| offer.function.name.clone())
        .collect();
    for text in [
        REQUEST,
        ERRAND,
        "Which grease?",
        "Average of the readings of M-1?",
    ] {
        for engine in [RefPlannerV1, RefPlannerV2] {
            let plan = plan_for(&request(text, offered.clone()), engine);
            assert_eq!(plan.check(&names), Ok(()), "{text}");
        }
    }
}

#[test]
fn more_things_than_a_plan_can_hold_are_refused() {
    let many = ["2 seals"; 8].join(" and ");
    let plan = plan_for(
        &request(&format!("What do {many} cost?"), offers()),
        RefPlannerV2,
    );
    assert_eq!(plan.missing, ["a request for at most 7 things at once"]);
}

#[test]
fn a_known_item_number_needs_no_search_and_one_unit_no_arithmetic() {
    let plan = plan_for(
        &request("What is the price of SKU-2048?", offers()),
        RefPlannerV1,
    );
    assert_eq!(tools(&plan), ["catalog_price"]);
    assert_eq!(plan.steps[0].arguments["sku"], "SKU-2048");
}

#[test]
fn statistics_are_made_by_a_program_from_the_rows_of_a_machine() {
    let asked = request(
        "What is the median measured vibration of pump P-100 per day?",
        offers(),
    );
    let plan = plan_for(&asked, RefPlannerV2);
    assert_eq!(tools(&plan), ["readings", "py"]);
    assert_eq!(plan.steps[0].arguments["machine"], "P-100");
    let values = &plan.steps[1].arguments["code"]["values"];
    assert_eq!(
        values["rows"],
        json!({"from": "step-1", "pointer": "/rows"})
    );
    assert_eq!(values["statistics"], json!(["median"]));
    assert_eq!(
        (&values["words"], &values["group"]),
        (&json!(["vibration"]), &json!("day"))
    );
}

#[test]
fn statistics_of_no_machine_are_refused() {
    let plan = plan_for(
        &request("What is the average measured vibration?", offers()),
        RefPlannerV1,
    );
    assert!(plan.missing[0].contains("name of a machine"), "{plan:?}");
}

#[test]
fn a_tool_that_is_not_offered_is_named_as_missing_and_nothing_is_planned() {
    for hidden in ["find_docs", "catalog_price", "py"] {
        let mut tools = offers();
        tools.retain(|tool| tool.function.name != hidden);
        let plan = plan_for(&request(REQUEST, tools), RefPlannerV2);
        assert!(
            plan.steps.is_empty() && !plan.missing.is_empty(),
            "{hidden}: {plan:?}"
        );
    }
}

#[test]
fn a_result_of_unknown_form_is_named_as_missing() {
    let mut tools = offers();
    tools[0].function.description = "Searches manuals for passages.".into();
    let plan = plan_for(&request(REQUEST, tools), RefPlannerV1);
    assert_eq!(
        plan.missing,
        ["an item number in the result of `find_docs`"]
    );
}

#[test]
fn the_operator_gets_the_plan_as_json() {
    let mut asked = request(REQUEST, offers());
    asked.messages.insert(
        0,
        Message::text(Role::System, "Make a plan. Answer with JSON."),
    );
    asked.response_format = Some(ResponseFormat {
        r#type: "json_object".into(),
    });
    for engine in [RefPlannerV1, RefPlannerV2] {
        let plan = Plan::parse(&reply(&asked, engine).content.unwrap()).unwrap();
        assert_eq!(plan, plan_for(&asked, engine));
    }
}
