use super::*;
use crate::model::engine::Engine::{self, RefPlannerV1, RefPlannerV2};
use crate::model::openai::{FunctionOffer, ResponseFormat, ToolOffer};
use serde_json::json;

mod answers;
mod calls;
mod plans;

const REQUEST: &str =
    "What do 3 units of the replacement seal for pump P-100 cost, with 8 % discount?";
const ERRAND: &str = "What do 3 seals and 4 SKU-2048 and a coupling cost together?";

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
