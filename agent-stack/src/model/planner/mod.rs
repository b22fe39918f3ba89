//! The reference planner: a deterministic stand-in for a language model.
//!
//! It is a pure function from a conversation and the offered tools to the next message. It reads the request, knows
//! three kinds of tools by what they say of themselves, and puts the answer together from what the tools returned. It
//! knows no tool, document or price in advance.

mod answer;
mod compose;
mod offer;
mod question;
#[cfg(test)]
mod tests;

use super::engine::Engine;
use super::openai::{ChatRequest, Message, Role, ToolCall};
use crate::plan;
#[cfg(test)]
use crate::plan::Plan;
use question::Question;
use serde_json::Value;
use std::collections::BTreeMap;

/// The next message of the conversation, as `engine` writes it.
pub fn reply(request: &ChatRequest, _engine: Engine) -> Message {
    let question = Question::read(last_text(request, Role::User));
    if asks_for_plan(request) {
        let plan = compose::compose(&question, &request.tools);
        return Message::text(
            Role::Assistant,
            serde_json::to_string(&plan).unwrap_or_default(),
        );
    }
    if request.tools.is_empty() {
        return Message::text(
            Role::Assistant,
            answer::answer(&question, &ordered(&results(request))),
        );
    }
    next_call(request, &question)
}

/// Whether the operator asks for the plan itself, as JSON, and not for the first call of it.
fn asks_for_plan(request: &ChatRequest) -> bool {
    let json = request
        .response_format
        .as_ref()
        .is_some_and(|format| format.r#type == "json_object");
    json && last_text(request, Role::System)
        .to_lowercase()
        .contains("plan")
}

fn last_text(request: &ChatRequest, role: Role) -> &str {
    let mut messages = request
        .messages
        .iter()
        .rev()
        .filter(|message| message.role == role);
    messages
        .next()
        .and_then(|message| message.content.as_deref())
        .unwrap_or_default()
}

/// Function calling: the next call of the plan, or the answer once every call has its result.
fn next_call(request: &ChatRequest, question: &Question) -> Message {
    let plan = compose::compose(question, &request.tools);
    if !plan.missing.is_empty() {
        return Message::text(
            Role::Assistant,
            format!("I cannot do this without {}.", plan.missing.join(" and ")),
        );
    }
    let results = results(request);
    match plan
        .steps
        .iter()
        .find(|step| !results.contains_key(&step.id))
    {
        None => Message::text(
            Role::Assistant,
            answer::answer(question, &ordered(&results)),
        ),
        Some(step) => match plan::resolve(&step.arguments, &results) {
            Ok(arguments) => Message::calls(vec![ToolCall::new(
                &step.id,
                &step.tool,
                &Value::Object(arguments),
            )]),
            Err(error) => Message::text(Role::Assistant, format!("I cannot go on: {error}.")),
        },
    }
}

/// The results in the conversation, by call id; a result that is not JSON is its text.
fn results(request: &ChatRequest) -> BTreeMap<String, Value> {
    let tools = request
        .messages
        .iter()
        .filter(|message| message.role == Role::Tool);
    tools
        .filter_map(|message| {
            let text = message.content.as_deref().unwrap_or_default();
            let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
            Some((message.tool_call_id.clone()?, value))
        })
        .collect()
}

fn ordered(results: &BTreeMap<String, Value>) -> Vec<Value> {
    results.values().cloned().collect()
}

/// The plan for a request, as [`reply`] would write it.
#[cfg(test)]
pub(crate) fn plan_for(request: &ChatRequest) -> Plan {
    compose::compose(
        &Question::read(last_text(request, Role::User)),
        &request.tools,
    )
}
