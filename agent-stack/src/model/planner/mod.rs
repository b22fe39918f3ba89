//! The reference planner: a deterministic stand-in for a language model.
//!
//! It is a pure function from a conversation and the offered tools to the next message. It reads the request, knows
//! four kinds of tools by what they say of themselves, and puts the answer together from what the tools returned. It
//! knows no tool, document, machine or price in advance, and says what it cannot do.

mod answer;
mod compose;
mod finding;
mod offer;
mod program;
mod question;
#[cfg(test)]
mod tests;

use super::engine::Engine;
use super::openai::{ChatRequest, Message, Role, ToolCall};
use crate::plan;
use crate::plan::{Plan, Step};
use finding::Finding;
use question::Question;
use serde_json::Value;
use std::collections::BTreeMap;

/// The next message of the conversation, as `engine` writes it.
pub fn reply(request: &ChatRequest, engine: Engine) -> Message {
    let question = Question::read(last_text(request, Role::User));
    if asks_for_plan(request) {
        let plan = compose::compose(&question, &request.tools, engine);
        return said(serde_json::to_string(&plan).unwrap_or_default());
    }
    let findings = finding::findings(request);
    if request.tools.is_empty() {
        return said(answer::answer(&question, &findings, engine));
    }
    next_calls(request, &question, &findings, engine)
}

fn said(text: String) -> Message {
    Message::text(Role::Assistant, text)
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

/// Function calling: the next calls of the plan, or the answer once every call has its result.
fn next_calls(
    request: &ChatRequest,
    question: &Question,
    findings: &[Finding],
    engine: Engine,
) -> Message {
    let plan = compose::compose(question, &request.tools, engine);
    if !plan.missing.is_empty() {
        return said(format!(
            "I cannot do this without {}.",
            plan.missing.join(" and ")
        ));
    }
    let results: BTreeMap<String, Value> = findings
        .iter()
        .map(|finding| (finding.id.clone(), finding.result.clone()))
        .collect();
    let ready = ready(&plan, &results);
    if ready.is_empty() {
        return said(answer::answer(question, findings, engine));
    }
    let calls = ready.into_iter().map(|step| call(step, &results)).collect();
    match calls {
        Ok(calls) => Message::calls(calls),
        // What the next step needs was not found; the answer says so.
        Err(_) => said(answer::answer(question, findings, engine)),
    }
}

/// The steps without a result whose predecessors all have theirs.
fn ready<'a>(plan: &'a Plan, results: &BTreeMap<String, Value>) -> Vec<&'a Step> {
    let open = plan
        .steps
        .iter()
        .filter(|step| !results.contains_key(&step.id));
    open.filter(|step| step.waits_for().iter().all(|id| results.contains_key(*id)))
        .collect()
}

fn call(step: &Step, results: &BTreeMap<String, Value>) -> Result<ToolCall, plan::PlanError> {
    let arguments = plan::resolve(&step.arguments, results)?;
    Ok(ToolCall::new(
        &step.id,
        &step.tool,
        &Value::Object(arguments),
    ))
}

/// The plan for a request, as [`reply`] would write it.
#[cfg(test)]
pub(crate) fn plan_for(request: &ChatRequest, engine: Engine) -> Plan {
    compose::compose(
        &Question::read(last_text(request, Role::User)),
        &request.tools,
        engine,
    )
}
