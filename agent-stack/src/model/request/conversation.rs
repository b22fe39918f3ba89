//! Which conversations make sense: who says what, and which result belongs to which call.

use crate::model::error::ApiError;
use crate::model::openai::{Message, Role, ToolCall};
use std::collections::BTreeSet;

/// Checks every message and that each tool result answers a call right before it.
///
/// # Errors
/// The first message that is wrong.
pub(super) fn check(messages: &[Message]) -> Result<(), ApiError> {
    if messages.is_empty() {
        return Err(ApiError::value("messages", "is empty"));
    }
    let mut open = OpenCalls::default();
    for (index, message) in messages.iter().enumerate() {
        check_form(index, message)?;
        open.take(index, message)?;
    }
    open.check_answered()
}

fn check_form(index: usize, message: &Message) -> Result<(), ApiError> {
    let at = |member: &str| format!("messages[{index}].{member}");
    if message.role != Role::Assistant {
        if message.content.is_none() {
            return Err(ApiError::missing(at("content")));
        }
        if !message.tool_calls.is_empty() {
            let reason = "belongs to messages of the role `assistant`";
            return Err(ApiError::value(at("tool_calls"), reason));
        }
        return Ok(());
    }
    let says = message.content.is_some() || message.refusal.is_some();
    if !says && message.tool_calls.is_empty() {
        return Err(ApiError::missing(at("content")));
    }
    message
        .tool_calls
        .iter()
        .enumerate()
        .try_for_each(|(call_index, call)| check_call(&at("tool_calls"), call_index, call))
}

fn check_call(calls: &str, index: usize, call: &ToolCall) -> Result<(), ApiError> {
    if call.r#type == "function" {
        return Ok(());
    }
    let reason = format!("is `{}`; only `function` is known", call.r#type);
    Err(ApiError::value(format!("{calls}[{index}].type"), reason))
}

/// The calls of the last assistant message that have no result yet.
#[derive(Default)]
struct OpenCalls<'a> {
    from: usize,
    ids: BTreeSet<&'a str>,
}

impl<'a> OpenCalls<'a> {
    fn take(&mut self, index: usize, message: &'a Message) -> Result<(), ApiError> {
        if message.role == Role::Tool {
            return self.close(index, message);
        }
        self.check_answered()?;
        self.from = index;
        for (call_index, call) in message.tool_calls.iter().enumerate() {
            if !self.ids.insert(&call.id) {
                let param = format!("messages[{index}].tool_calls[{call_index}].id");
                let reason = format!("is `{}`, as another call has", call.id);
                return Err(ApiError::value(param, reason));
            }
        }
        Ok(())
    }

    fn close(&mut self, index: usize, message: &Message) -> Result<(), ApiError> {
        let param = format!("messages[{index}].tool_call_id");
        let Some(id) = &message.tool_call_id else {
            return Err(ApiError::missing(param));
        };
        if self.ids.remove(id.as_str()) {
            return Ok(());
        }
        let reason = format!("is `{id}`, which is no open call of the assistant message before");
        Err(ApiError::value(param, reason))
    }

    fn check_answered(&self) -> Result<(), ApiError> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = self.ids.iter().map(|id| format!("`{id}`")).collect();
        let reason = format!("have no tool message for {}", ids.join(", "));
        let param = format!("messages[{}].tool_calls", self.from);
        Err(ApiError::value(param, reason))
    }
}
