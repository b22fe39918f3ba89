//! What the agent tells the model, for the reference planner and for real models alike.

use crate::model::openai::ToolOffer;
use serde_json::{Value, json};

/// Asks for a plan with the tools `offers`.
///
/// They stand in the words as well: where a model may call no tool, some servers do not show it any.
pub(super) fn plan(offers: &[ToolOffer]) -> String {
    let tools = offers.iter().map(|offer| json!(offer.function));
    let tools: Value = tools.collect();
    format!("{PLAN}\nThe offered tools:\n{tools}")
}

const PLAN: &str = "\
You plan how to do a task with the offered tools. Do not call them. Answer with one JSON object and nothing else:
{\"steps\": [{\"id\": \"step-1\", \"tool\": \"<name of an offered tool>\", \"arguments\": {}}], \"missing\": []}
Every step stands after those it needs. A step runs as soon as the steps it refers to are done, so that independent
steps run side by side; add \"after\": [\"step-1\"] to one that must wait for another without referring to it. An argument may stand for a value in the result of an earlier step:
{\"from\": \"step-1\", \"pointer\": \"/path/to/value\"} with an RFC 6901 JSON pointer into that result. To put such values
into a longer text, such as a program, use {\"template\": \"f({{x}})\", \"values\": {\"x\": <value or reference>}}: each
{{name}} is replaced by its value written as JSON. The schema of each tool's result stands in its description.
Do arithmetic with a tool that runs code, never yourself. If the task needs what no offered tool does, leave `steps`
empty and say in `missing` what is needed.";

/// Asks for the answer.
pub(super) const ANSWER: &str = "\
Answer the user's question in one or two sentences, using only the results of the tool calls in this conversation.
If they do not hold what is needed, say so.";
