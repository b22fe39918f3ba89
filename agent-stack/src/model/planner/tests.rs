use super::*;
use crate::model::engine::Engine::{self, RefPlannerV1, RefPlannerV2};
use crate::model::openai::{FunctionOffer, ResponseFormat, ToolOffer};
use serde_json::json;

const REQUEST: &str =
    "What do 3 units of the replacement seal for pump P-100 cost, with 8 % discount?";

fn offer(name: &str, description: &str, argument: &str, result: &Value) -> ToolOffer {
    let function = FunctionOffer {
        name: name.into(),
        description: plan::describe(description, Some(result)),
        parameters: json!({"type": "object", "properties": {argument: {"type": "string"}}}),
    };
    ToolOffer {
        r#type: "function".into(),
        function,
    }
}

fn offers() -> Vec<ToolOffer> {
    let text = json!({"type": "string"});
    let hits =
        json!({"properties": {"hits": {"items": {"properties": {"passage": text, "sku": text}}}}});
    let price = json!({"properties": {"sku": text, "unitPrice": {"type": "number"}}});
    let output = json!({"properties": {"stdout": text}});
    let row = json!({"properties": {"day": text, "kind": text, "value": {"type": "number"}, "unit": text}});
    let rows = json!({"properties": {"machine": text, "rows": {"items": row}}});
    vec![
        offer(
            "find_docs",
            "Searches manuals for passages.",
            "query",
            &hits,
        ),
        offer(
            "catalog_price",
            "Looks up the price of an item.",
            "sku",
            &price,
        ),
        offer("py", "Runs Python code.", "code", &output),
        offer(
            "readings",
            "Reads the measured values of a machine.",
            "machine",
            &rows,
        ),
    ]
}

fn request(text: &str, tools: Vec<ToolOffer>) -> ChatRequest {
    ChatRequest {
        messages: vec![Message::text(Role::User, text)],
        tools,
        ..ChatRequest::default()
    }
}

/// The request with the results of earlier calls, each with the call it belongs to.
fn with_results(text: &str, results: &[(&str, Value)]) -> ChatRequest {
    let mut asked = request(text, Vec::new());
    for (index, (tool, result)) in results.iter().enumerate() {
        let id = format!("step-{}", index + 1);
        let call = ToolCall::new(&id, *tool, &json!({}));
        asked.messages.push(Message::calls(vec![call]));
        asked.messages.push(Message::result(id, result.to_string()));
    }
    asked
}

fn answer_with(text: &str, results: &[(&str, Value)], engine: Engine) -> String {
    reply(&with_results(text, results), engine).content.unwrap()
}

fn tools(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.tool.as_str()).collect()
}

fn seal() -> Value {
    json!({"sku": "SKU-7", "name": "Seal", "unitPrice": 42.5, "currency": "EUR"})
}

fn printed(text: &str) -> Value {
    json!({"stdout": text})
}

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

const ERRAND: &str = "What do 3 seals and 4 SKU-2048 and a coupling cost together?";

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

#[test]
fn function_calling_goes_step_by_step_with_resolved_arguments() {
    let mut asked = request(REQUEST, offers());
    let first = reply(&asked, RefPlannerV1);
    assert_eq!(first.tool_calls[0].function.name, "find_docs");
    asked.messages.push(first);
    asked.messages.push(Message::result(
        "step-1",
        json!({"hits": [{"sku": "SKU-7"}]}).to_string(),
    ));
    let second = reply(&asked, RefPlannerV1);
    assert_eq!(second.tool_calls[0].id, "step-2");
    assert_eq!(
        second.tool_calls[0].function.arguments,
        r#"{"sku":"SKU-7"}"#
    );
}

#[test]
fn function_calling_of_the_second_version_asks_for_independent_calls_at_once() {
    let asked = request(ERRAND, offers());
    let ids = |message: Message| -> Vec<String> {
        message.tool_calls.into_iter().map(|call| call.id).collect()
    };
    assert_eq!(ids(reply(&asked, RefPlannerV1)), ["step-1"]);
    assert_eq!(
        ids(reply(&asked, RefPlannerV2)),
        ["step-1", "step-2", "step-4"]
    );
}

#[test]
fn function_calling_ends_with_what_is_missing_when_a_search_found_no_item() {
    for (hits, told) in [
        (json!([]), "no document matches the request"),
        (
            json!([{"document": "start.txt"}, {"document": "seal.txt", "sku": "SKU-7"}]),
            "no item matches the request. The closest document, start.txt, names no item number",
        ),
    ] {
        for engine in [RefPlannerV1, RefPlannerV2] {
            let mut asked = request(REQUEST, offers());
            let found = json!({"hits": hits}).to_string();
            asked.messages.push(Message::result("step-1", found));
            let message = reply(&asked, engine);
            assert!(message.tool_calls.is_empty());
            let text = message.content.unwrap();
            let expected = format!("I cannot tell the price: {told}.");
            assert!(text.starts_with(&expected), "{text}");
        }
    }
}

#[test]
fn the_answer_is_made_of_the_results() {
    let found = ("find_docs", json!({"hits": []}));
    let results = |total| {
        [
            found.clone(),
            ("catalog_price", seal()),
            ("py", printed(total)),
        ]
    };
    let text = answer_with(REQUEST, &results("117.30\n"), RefPlannerV1);
    assert_eq!(
        text,
        "3 units of Seal (SKU-7) cost 117.30 EUR: 3 x 42.50 EUR, less 8 % discount."
    );
    let other = answer_with(REQUEST, &results("99.99\n"), RefPlannerV1);
    assert!(other.contains("cost 99.99 EUR"), "{other}");
}

#[test]
fn the_answer_of_the_second_version_names_its_sources() {
    let results = [
        ("find_docs", json!({"hits": [{"document": "seal.txt"}]})),
        ("catalog_price", seal()),
        ("py", printed("117.30\n")),
    ];
    assert_eq!(
        answer_with(REQUEST, &results, RefPlannerV2),
        "3 units of Seal (SKU-7) cost 117.30 EUR: 3 x 42.50 EUR, less 8 % discount. \
         Sources: seal.txt (find_docs), SKU-7 (catalog_price), a computation (py)."
    );
}

#[test]
fn several_things_are_listed_in_the_order_of_the_request() {
    let bearing = json!({"sku": "SKU-2", "name": "Bearing", "unitPrice": 17.35, "currency": "EUR"});
    let results = [
        ("catalog_price", seal()),
        ("catalog_price", bearing),
        ("py", printed("154.40\n")),
    ];
    let text = answer_with(
        "What do 2 SKU-7 and 4 SKU-2 cost together?",
        &results,
        RefPlannerV1,
    );
    assert_eq!(
        text,
        "Together they cost 154.40 EUR: 2 x Seal (SKU-7) at 42.50 EUR; 4 x Bearing (SKU-2) at 17.35 EUR."
    );
}

#[test]
fn results_count_in_the_order_of_the_conversation_and_not_of_their_ids() {
    let mut asked = request("What do 2 SKU-7 and 4 SKU-2 cost together?", Vec::new());
    for (id, price) in [("step-9", 1.0), ("step-10", 2.0)] {
        let item = json!({"name": id, "unitPrice": price});
        asked.messages.push(Message::result(id, item.to_string()));
    }
    asked
        .messages
        .push(Message::result("step-11", printed("10.00").to_string()));
    let text = reply(&asked, RefPlannerV1).content.unwrap();
    assert!(
        text.contains("2 x step-9 at 1.00; 4 x step-10 at 2.00"),
        "{text}"
    );
}

#[test]
fn a_result_that_is_not_there_is_not_made_up() {
    let item = ("catalog_price", json!({"name": "Seal", "unitPrice": 42.5}));
    for engine in [RefPlannerV1, RefPlannerV2] {
        assert!(answer_with(REQUEST, &[], engine).contains("No price was found"));
        let priced = answer_with(REQUEST, std::slice::from_ref(&item), engine);
        assert!(priced.contains("could not be computed"));
        let broken = answer_with(
            REQUEST,
            &[item.clone(), ("py", printed("Traceback"))],
            engine,
        );
        assert!(broken.contains("could not be computed"));
        let short = answer_with(ERRAND, std::slice::from_ref(&item), engine);
        assert!(short.contains("Not every price was found"));
    }
}

#[test]
fn the_price_of_another_thing_is_no_answer() {
    let hit =
        json!({"hits": [{"document": "seal.txt", "sku": "SKU-7", "missing": ["windscreen"]}]});
    let results = [("find_docs", hit), ("catalog_price", seal())];
    let text = answer_with(
        "What does the windscreen of pump P-100 cost?",
        &results,
        RefPlannerV1,
    );
    assert_eq!(
        text,
        "I cannot tell the price: no document has \"windscreen\" with the rest of the request. The closest is seal.txt."
    );
}

#[test]
fn a_question_about_documents_is_answered_by_the_best_passage_and_its_document() {
    let hit = json!({"hits": [{"document": "g7.txt", "title": "Gearbox G-7", "passage": "Use ISO VG 220.", "missing": []}]});
    let results = [("find_docs", hit)];
    let question = "Which oil is in gearbox G-7?";
    assert_eq!(
        answer_with(question, &results, RefPlannerV1),
        "Use ISO VG 220. [g7.txt]"
    );
    assert_eq!(
        answer_with(question, &results, RefPlannerV2),
        "\"Gearbox G-7\" says: Use ISO VG 220. Sources: g7.txt (find_docs)."
    );
}

#[test]
fn what_no_passage_says_is_not_answered_by_the_closest_one() {
    let hit = json!({"hits": [{"document": "g7.txt", "passage": "Use ISO VG 220.", "missing": ["warranty"]}]});
    for engine in [RefPlannerV1, RefPlannerV2] {
        let text = answer_with("Warranty of G-7?", &[("find_docs", hit.clone())], engine);
        assert!(
            text.starts_with("I cannot answer this from the documents"),
            "{text}"
        );
        assert!(!text.contains("220"), "{text}");
    }
}

const VIBRATION: &str = "What are the mean and the highest measured vibration of pump P-100?";

#[test]
fn figures_come_from_what_the_program_printed() {
    let figures = json!({"unit": "mm/s", "groups": [{"name": "", "count": 8, "mean": "4.2",
        "maximum": {"value": "9.7", "at": "2026-03-04, 12:00"}}]});
    let text = answer_with(
        VIBRATION,
        &[("py", printed(&figures.to_string()))],
        RefPlannerV1,
    );
    assert_eq!(
        text,
        "Vibration of P-100, 8 values: mean 4.2 mm/s, maximum 9.7 mm/s (2026-03-04, 12:00)."
    );
}

#[test]
fn figures_that_are_not_there_are_not_made_up() {
    let problem = json!({"problem": "no measured value is labelled noise"}).to_string();
    for (output, expected) in [
        (
            problem.as_str(),
            "I cannot tell: no measured value is labelled noise.",
        ),
        (
            "Traceback",
            "I cannot tell: the computation gave no figures.",
        ),
    ] {
        let text = answer_with(VIBRATION, &[("py", printed(output))], RefPlannerV1);
        assert_eq!(text, expected);
    }
    assert_eq!(
        answer_with(VIBRATION, &[], RefPlannerV2),
        "I cannot tell: the computation gave no figures."
    );
}
