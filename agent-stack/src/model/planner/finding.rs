//! What the tools returned, read from the conversation.

use crate::model::openai::{ChatRequest, Role};
use serde_json::Value;
use std::collections::BTreeMap;

/// One call that has its result.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    /// Id of the call.
    pub(super) id: String,
    /// Name of the tool; empty when the conversation does not show the call.
    pub(super) tool: String,
    /// The result; one that is not JSON is its text.
    pub(super) result: Value,
}

impl Finding {
    /// A text of the result at a JSON pointer.
    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        self.result.pointer(pointer)?.as_str()
    }

    /// What a search found, where this is one.
    pub(super) fn hits(&self) -> Option<Vec<Hit<'_>>> {
        let hits = self.result.get("hits")?.as_array()?;
        Some(hits.iter().map(|hit| Hit { hit }).collect())
    }
}

/// A document that a search found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit<'a> {
    hit: &'a Value,
}

impl<'a> Hit<'a> {
    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        self.hit.get(name)?.as_str()
    }

    /// Whether it names an item by its number.
    pub(super) fn names_an_item(self) -> bool {
        let members = self.hit.as_object();
        members
            .into_iter()
            .flatten()
            .any(|(name, value)| name.to_lowercase().starts_with("sku") && value.as_str().is_some())
    }

    /// Words of the query that it does not have.
    pub(super) fn missing(self) -> Vec<&'a str> {
        let listed = self.hit.get("missing").and_then(Value::as_array);
        listed
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }
}

/// Every result of the conversation, in its order.
pub(super) fn findings(request: &ChatRequest) -> Vec<Finding> {
    let mut tools: BTreeMap<&str, &str> = BTreeMap::new();
    let mut findings = Vec::new();
    for message in &request.messages {
        tools.extend(
            message
                .tool_calls
                .iter()
                .map(|call| (call.id.as_str(), call.function.name.as_str())),
        );
        let id = message.tool_call_id.as_deref();
        if let Some(id) = id.filter(|_| message.role == Role::Tool) {
            let text = message.content.as_deref().unwrap_or_default();
            findings.push(Finding {
                id: id.to_owned(),
                tool: tools.get(id).copied().unwrap_or_default().to_owned(),
                result: serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
            });
        }
    }
    findings
}
