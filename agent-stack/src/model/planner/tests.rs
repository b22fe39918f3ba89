use super::*;
use crate::model::engine::Engine::RefPlannerV1;
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
    ]
}

fn request(text: &str, tools: Vec<ToolOffer>) -> ChatRequest {
    ChatRequest {
        messages: vec![Message::text(Role::User, text)],
        tools,
        ..ChatRequest::default()
    }
}

fn answer_with(text: &str, results: &[Value]) -> String {
    let mut asked = request(text, Vec::new());
    for (index, result) in results.iter().enumerate() {
        asked
            .messages
            .push(Message::result(format!("step-{index}"), result.to_string()));
    }
    reply(&asked, RefPlannerV1).content.unwrap()
}

#[test]
fn the_plan_searches_looks_up_and_computes() {
    let plan = plan_for(&request(REQUEST, offers()));
    insta::assert_json_snapshot!(plan, @r#"
    {
      "steps": [
        {
          "id": "step-1",
          "tool": "find_docs",
          "arguments": {
            "query": "replacement seal pump P-100"
          }
        },
        {
          "id": "step-2",
          "tool": "catalog_price",
          "arguments": {
            "sku": {
              "from": "step-1",
              "pointer": "/hits/0/sku"
            }
          }
        },
        {
          "id": "step-3",
          "tool": "py",
          "arguments": {
            "code": {
              "template": "cents = round({{price}} * 100)\ntotal = (cents * {{quantity}} * (10000 - {{discount}}) + 5000) // 10000\nprint(f'{total // 100}.{total % 100:02d}')\n",
              "values": {
                "discount": 800,
                "price": {
                  "from": "step-2",
                  "pointer": "/unitPrice"
                },
                "quantity": 3
              }
            }
          }
        }
      ]
    }
    "#);
}

#[test]
fn a_known_item_number_needs_no_search_and_one_unit_no_arithmetic() {
    let plan = plan_for(&request("What is the price of SKU-2048?", offers()));
    let tools: Vec<_> = plan.steps.iter().map(|step| step.tool.as_str()).collect();
    assert_eq!(tools, ["catalog_price"]);
    assert_eq!(plan.steps[0].arguments["sku"], "SKU-2048");
}

#[test]
fn a_tool_that_is_not_offered_is_named_as_missing_and_nothing_is_planned() {
    for hidden in ["find_docs", "catalog_price", "py"] {
        let mut tools = offers();
        tools.retain(|tool| tool.function.name != hidden);
        let plan = plan_for(&request(REQUEST, tools));
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
    let plan = plan_for(&request(REQUEST, tools));
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
    let plan = Plan::parse(&reply(&asked, RefPlannerV1).content.unwrap()).unwrap();
    assert_eq!(plan, plan_for(&asked));
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
fn function_calling_stops_when_a_result_lacks_what_the_next_step_needs() {
    let mut asked = request(REQUEST, offers());
    asked
        .messages
        .push(Message::result("step-1", r#"{"hits":[]}"#));
    let message = reply(&asked, RefPlannerV1);
    assert!(message.tool_calls.is_empty());
    assert!(message.content.unwrap().contains("/hits/0/sku"));
}

#[test]
fn the_answer_is_made_of_the_results() {
    let item = json!({"sku": "SKU-7", "name": "Seal", "unitPrice": 42.5, "currency": "EUR"});
    let text = answer_with(
        REQUEST,
        &[
            json!({"hits": []}),
            item.clone(),
            json!({"stdout": "117.30\n"}),
        ],
    );
    assert_eq!(
        text,
        "3 units of Seal (SKU-7) cost 117.30 EUR: 3 x 42.50 EUR, less 8 % discount."
    );
    let other = answer_with(REQUEST, &[item, json!({"stdout": "99.99\n"})]);
    assert!(other.contains("cost 99.99 EUR"), "{other}");
}

#[test]
fn a_result_that_is_not_there_is_not_made_up() {
    let item = json!({"name": "Seal", "unitPrice": 42.5});
    assert!(answer_with(REQUEST, &[]).contains("No price was found"));
    assert!(answer_with(REQUEST, std::slice::from_ref(&item)).contains("could not be computed"));
    assert!(
        answer_with(REQUEST, &[item, json!({"stdout": "Traceback"})])
            .contains("could not be computed")
    );
}

#[test]
fn a_question_without_money_is_answered_by_the_best_passage() {
    let text = answer_with(
        "Which oil is in gearbox G-7?",
        &[json!({"hits": [{"passage": "Use ISO VG 220."}]})],
    );
    assert_eq!(text, "Use ISO VG 220.");
}
