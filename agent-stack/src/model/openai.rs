//! The part of OpenAI's chat completions API that the stack speaks.

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::fmt;

/// Body of `POST /v1/chat/completions`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    /// Model that is asked for.
    #[serde(default)]
    pub model: String,
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// Tools the model may call.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub tools: Vec<ToolOffer>,
    /// Whether it may call them, as the stack asks for it; a server reads more than this.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Form of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// Whether to answer in server-sent events.
    #[serde(default, deserialize_with = "null_is_default")]
    pub stream: bool,
    /// Options of the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
}

/// Whether the model may call the offered tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// It answers in words and calls none.
    None,
}

/// Options of a streamed answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamOptions {
    /// Whether the last event tells the usage.
    #[serde(default, deserialize_with = "null_is_default")]
    pub include_usage: bool,
}

/// Form of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseFormat {
    /// `text`, `json_object` or `json_schema`.
    pub r#type: String,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The operator; `developer` is the newer name.
    #[serde(alias = "developer")]
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    #[serde(default, deserialize_with = "text_content")]
    pub content: Option<String>,
    /// Tools the model wants called.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub tool_calls: Vec<ToolCall>,
    /// Why the model gives no answer of the form that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// The call this message is the result of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

impl Message {
    /// A message of plain text.
    pub fn text(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: Some(content.into()),
            tool_calls: Vec::new(),
            refusal: None,
            tool_call_id: None,
        }
    }

    /// A message of the model that asks for tool calls.
    pub fn calls(tool_calls: Vec<ToolCall>) -> Self {
        Self {
            role: Role::Assistant,
            content: None,
            tool_calls,
            refusal: None,
            tool_call_id: None,
        }
    }

    /// A message of the model that says why it gives no answer of the form that was asked for.
    pub fn refusal(reason: impl Into<String>) -> Self {
        Self {
            refusal: Some(reason.into()),
            ..Self::calls(Vec::new())
        }
    }

    /// The result of a tool call.
    pub fn result(tool_call_id: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            tool_call_id: Some(tool_call_id.into()),
            ..Self::text(Role::Tool, content)
        }
    }
}

/// A call the model asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Id of the call.
    pub id: String,
    /// Always `function`.
    pub r#type: String,
    /// What to call.
    pub function: FunctionCall,
}

/// Name and arguments of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionCall {
    /// Name of the tool.
    pub name: String,
    /// Arguments as JSON text.
    pub arguments: String,
}

impl ToolCall {
    /// A call of the tool `name`.
    pub fn new(id: impl Into<String>, name: impl Into<String>, arguments: &Value) -> Self {
        let function = FunctionCall {
            name: name.into(),
            arguments: arguments.to_string(),
        };
        Self {
            id: id.into(),
            r#type: "function".into(),
            function,
        }
    }
}

/// A tool the model may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolOffer {
    /// Always `function`.
    pub r#type: String,
    /// The tool.
    pub function: FunctionOffer,
}

/// Name, purpose and parameters of a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionOffer {
    /// Name of the tool.
    pub name: String,
    /// What it does.
    #[serde(default, deserialize_with = "null_is_default")]
    pub description: String,
    /// JSON Schema of its arguments.
    #[serde(default)]
    pub parameters: Value,
}

/// Answer to a chat request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatResponse {
    /// Id of the answer.
    pub id: String,
    /// `chat.completion`.
    pub object: String,
    /// Seconds since the Unix epoch.
    pub created: u64,
    /// Model that answered.
    pub model: String,
    /// Which engine answered, and with which seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_fingerprint: Option<String>,
    /// The answer, always one.
    pub choices: Vec<Choice>,
    /// Tokens.
    pub usage: Usage,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Position.
    pub index: u32,
    /// What the model says.
    pub message: Message,
    /// Why it stopped: `stop`, `length` or `tool_calls`.
    pub finish_reason: String,
}

/// Tokens of a request and its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the request.
    pub prompt_tokens: u32,
    /// Tokens of the answer.
    pub completion_tokens: u32,
    /// Both.
    pub total_tokens: u32,
}

/// A content is a text or a list of parts. Parts that are no text are an error and not left out: an answer that
/// silently ignores an image would be about something else than the question.
struct ContentVisitor;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    Text { text: String },
    Refusal { refusal: String },
}

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of text parts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(Some(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let mut all = String::new();
        while let Some(Part::Text { text } | Part::Refusal { refusal: text }) =
            parts.next_element()?
        {
            all.push_str(&text);
        }
        Ok(Some(all))
    }
}

fn text_content<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(ContentVisitor)
}

/// Clients write `null` for what they leave open.
fn null_is_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn content_may_come_in_parts_or_be_absent() {
        let parts = json!({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]});
        assert_eq!(
            serde_json::from_value::<Message>(parts)
                .unwrap()
                .content
                .unwrap(),
            "ab"
        );
        let absent = json!({"role": "assistant", "content": null, "tool_calls": null});
        assert_eq!(
            serde_json::from_value::<Message>(absent).unwrap(),
            Message::calls(Vec::new())
        );
    }

    #[test]
    fn a_part_that_is_no_text_is_an_error_and_not_left_out() {
        let image = json!({"role": "user", "content": [{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": {"url": "x"}}]});
        let error = serde_json::from_value::<Message>(image).unwrap_err();
        assert!(error.to_string().contains("`image_url`"), "{error}");
    }

    #[test]
    fn null_stands_for_what_is_left_open() {
        let request = json!({"model": "m", "messages": [], "tools": null, "stream": null, "stream_options": null});
        let read = serde_json::from_value::<ChatRequest>(request).unwrap();
        assert!(read.tools.is_empty() && !read.stream && read.stream_options.is_none());
    }

    #[test]
    fn a_request_with_members_we_do_not_know_is_read() {
        let request = json!({"model": "m", "messages": [], "temperature": 0, "seed": 1});
        assert_eq!(
            serde_json::from_value::<ChatRequest>(request)
                .unwrap()
                .model,
            "m"
        );
    }
}
