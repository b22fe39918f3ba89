//! A chat request, checked: whatever is in it, the server does, or says that it does not.
//!
//! OpenAI's rules hold where they can be kept without a language model. Members the API does not know are left alone, as
//! vLLM does, so that newer clients work.

mod conversation;
mod format;
mod parameters;
#[cfg(test)]
mod tests;
mod tools;

pub(super) use format::{AnswerFormat, AnswerSchema};
pub(super) use tools::ToolChoice;

use super::error::ApiError;
use super::openai::ChatRequest;
use crate::strict_json;
use parameters::Parameters;
use serde_json::Value;

/// A request for a completion.
#[derive(Clone, Debug)]
pub(super) struct Completion {
    /// The conversation and the offered tools, as the planner reads them.
    pub(super) chat: ChatRequest,
    /// Whether the answer calls tools.
    pub(super) tool_choice: ToolChoice,
    /// Whether an answer may have several calls.
    pub(super) parallel_tool_calls: bool,
    /// Form of the answer.
    pub(super) format: AnswerFormat,
    /// Texts the answer ends before.
    pub(super) stop: Vec<String>,
    /// Seed of the answer.
    pub(super) seed: Option<i64>,
    /// Most tokens of the answer.
    pub(super) max_tokens: Option<u32>,
    /// Parameters that are valid and change nothing, because the engine has no chance in it.
    pub(super) ignored: Vec<&'static str>,
    /// The whole request in one line, the same for equal requests however they were written.
    pub(super) text: String,
}

impl Completion {
    /// Reads and checks the JSON of a request.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub(super) fn read(body: &[u8]) -> Result<Self, ApiError> {
        let value = strict_json::value(body)?;
        require(&value)?;
        let chat: ChatRequest = strict_json::from_value(&value)?;
        let parameters: Parameters = strict_json::from_value(&value)?;
        conversation::check(&chat.messages)?;
        tools::check(&chat.tools)?;
        parameters.check(&chat)?;
        let tool_choice = tools::choice(parameters.tool_choice.as_ref(), &chat.tools)?;
        Ok(Self {
            tool_choice,
            parallel_tool_calls: parameters.parallel_tool_calls.unwrap_or(true),
            format: format::read(&value)?,
            stop: parameters.stop()?,
            seed: parameters.seed,
            max_tokens: parameters.max_tokens()?,
            ignored: parameters.ignored(),
            text: value.to_string(),
            chat,
        })
    }
}

/// What serde lets pass or names badly: a member that is missing, and lists in place of objects.
fn require(value: &Value) -> Result<(), ApiError> {
    if !value.is_object() {
        return Err(ApiError::NotAnObject);
    }
    for param in ["model", "messages"] {
        if value[param].is_null() {
            return Err(ApiError::missing(param));
        }
    }
    ["messages", "tools"]
        .into_iter()
        .try_for_each(|param| objects(value, param))
}

fn objects(value: &Value, param: &str) -> Result<(), ApiError> {
    let mut items = value[param].as_array().into_iter().flatten();
    match items.position(|item| !item.is_object()) {
        None => Ok(()),
        Some(index) => Err(ApiError::value(format!("{param}[{index}]"), "is no object")),
    }
}
