//! Completes a conversation: what the engine says, held to what the request asks for.

use super::engine::Engine;
use super::openai::{ChatRequest, ChatResponse, Choice, Message, ResponseFormat, Usage};
use super::request::{AnswerFormat, Completion, ToolChoice};
use super::{planner, structured, tokenizer};
use portproof_proto::canonical::Digest;
use serde_json::json;

/// The `created` of every answer and of every model: 2026-01-01, in seconds since the Unix epoch.
///
/// A clock would make answers differ that are otherwise the same byte for byte, and that two clusters give the same
/// answer is what the stack is there to show. When an answer was given stands in the HTTP `date` header and in spans.
pub(super) const CREATED: u64 = 1_767_225_600;

/// Digits of an answer's id: 128 bits.
const ID_DIGITS: usize = 32;

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FinishReason {
    /// It is complete, or came to a stop sequence.
    Stop,
    /// It has as many tokens as it may have.
    Length,
    /// It calls tools.
    ToolCalls,
}

impl FinishReason {
    const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
        }
    }
}

/// A completion with what its metrics need.
#[derive(Clone, Debug)]
pub(super) struct Completed {
    pub(super) response: ChatResponse,
    pub(super) finish: FinishReason,
}

/// Answers `completion` as the backend `model` with `engine`. Equal requests get equal answers.
pub(super) fn complete(model: &str, engine: Engine, completion: &Completion) -> Completed {
    let (message, finish) = cut(draft(engine, completion), completion);
    let response = ChatResponse {
        id: id(engine, completion),
        object: "chat.completion".into(),
        created: CREATED,
        model: model.to_owned(),
        system_fingerprint: Some(fingerprint(engine, completion.seed)),
        usage: usage(&completion.chat, &message),
        choices: vec![Choice {
            index: 0,
            message,
            finish_reason: finish.name().into(),
        }],
    };
    Completed { response, finish }
}

fn id(engine: Engine, completion: &Completion) -> String {
    let asked = format!("{}\n{}", engine.name(), completion.text);
    let digest = Digest::of_bytes(asked.as_bytes());
    let digits = digest.as_str().trim_start_matches("sha256:");
    format!("chatcmpl-{}", digits.get(..ID_DIGITS).unwrap_or(digits))
}

/// Everything an answer depends on beside the request; the seed is told although the engine has no chance in it.
fn fingerprint(engine: Engine, seed: Option<i64>) -> String {
    match seed {
        None => format!("fp_{}", engine.name()),
        Some(seed) => format!("fp_{}_seed{seed}", engine.name()),
    }
}

fn usage(chat: &ChatRequest, message: &Message) -> Usage {
    let asked = json!({"messages": chat.messages, "tools": chat.tools}).to_string();
    let prompt_tokens = tokenizer::count(&asked);
    let completion_tokens = texts(message)
        .map(tokenizer::count)
        .fold(0, u32::saturating_add);
    Usage {
        prompt_tokens,
        completion_tokens,
        total_tokens: prompt_tokens.saturating_add(completion_tokens),
    }
}

/// Everything the engine wrote, in the order it is streamed.
fn texts(message: &Message) -> impl Iterator<Item = &str> {
    let calls = message.tool_calls.iter().flat_map(|call| {
        let function = &call.function;
        [function.name.as_str(), function.arguments.as_str()]
    });
    let said = [&message.content, &message.refusal].into_iter().flatten();
    said.map(String::as_str).chain(calls)
}

/// The whole answer, before stop sequences and limits.
fn draft(engine: Engine, completion: &Completion) -> Message {
    if let Some(plan) = fitting_plan(engine, completion) {
        return plan;
    }
    let mut message = choose(engine, completion);
    if !completion.parallel_tool_calls {
        message.tool_calls.truncate(1);
    }
    if message.tool_calls.is_empty() && message.refusal.is_none() {
        structured::conform(message, &completion.format, &completion.chat)
    } else {
        message
    }
}

/// What the engine writes where JSON is asked for, if it fits the schema of the answer: a plan does, when the schema is
/// one of plans.
fn fitting_plan(engine: Engine, completion: &Completion) -> Option<Message> {
    let AnswerFormat::Schema(schema) = &completion.format else {
        return None;
    };
    if !matches!(completion.tool_choice, ToolChoice::Auto | ToolChoice::None) {
        return None;
    }
    let json_object = ResponseFormat {
        r#type: "json_object".into(),
    };
    let chat = ChatRequest {
        response_format: Some(json_object),
        ..completion.chat.clone()
    };
    let reply = planner::reply(&chat, engine);
    let value = serde_json::from_str(reply.content.as_deref()?).ok()?;
    schema.accepts(&value).then_some(reply)
}

/// What the engine says under the given choice of tools.
fn choose(engine: Engine, completion: &Completion) -> Message {
    let chat = &completion.chat;
    match &completion.tool_choice {
        ToolChoice::Auto => planner::reply(chat, engine),
        ToolChoice::None => without_calls(engine, chat),
        ToolChoice::Required => called(planner::reply(&unformatted(chat), engine)),
        ToolChoice::Named(name) => call_of(name, engine, &unformatted(chat)),
    }
}

fn without_calls(engine: Engine, chat: &ChatRequest) -> Message {
    let reply = planner::reply(chat, engine);
    if reply.tool_calls.is_empty() {
        return reply;
    }
    let chat = ChatRequest {
        tools: Vec::new(),
        ..chat.clone()
    };
    planner::reply(&chat, engine)
}

/// A call is asked for, so the form of answers does not matter.
fn unformatted(chat: &ChatRequest) -> ChatRequest {
    ChatRequest {
        response_format: None,
        ..chat.clone()
    }
}

/// A message that calls; what the engine says instead of calling is the reason why it does not.
fn called(message: Message) -> Message {
    if message.tool_calls.is_empty() {
        let said = message.content.unwrap_or_default();
        Message::refusal(format!("There is no tool to call. {said}"))
    } else {
        message
    }
}

/// A call of the tool `name`: as part of the whole plan, or of a plan with this tool alone.
fn call_of(name: &str, engine: Engine, chat: &ChatRequest) -> Message {
    let mut planned = planner::reply(chat, engine);
    planned.tool_calls.retain(|call| call.function.name == name);
    if !planned.tool_calls.is_empty() {
        return planned;
    }
    let mut alone = chat.clone();
    alone.tools.retain(|offer| offer.function.name == name);
    called(planner::reply(&alone, engine))
}

/// The message up to the first stop sequence and within the limit of tokens.
fn cut(mut message: Message, completion: &Completion) -> (Message, FinishReason) {
    if let Some(content) = &mut message.content
        && let Some(end) = first_stop(content, &completion.stop)
    {
        content.truncate(end);
        message.tool_calls.clear();
    }
    let within = Budget::new(completion.max_tokens).spend(&mut message);
    let finish = match (within, message.tool_calls.is_empty()) {
        (false, _) => FinishReason::Length,
        (true, false) => FinishReason::ToolCalls,
        (true, true) => FinishReason::Stop,
    };
    (message, finish)
}

fn first_stop(text: &str, stops: &[String]) -> Option<usize> {
    stops.iter().filter_map(|stop| text.find(stop)).min()
}

/// Tokens that may still be written.
struct Budget {
    left: u32,
    within: bool,
}

impl Budget {
    fn new(tokens: Option<u32>) -> Self {
        Self {
            left: tokens.unwrap_or(u32::MAX),
            within: true,
        }
    }

    /// Cuts the message where the budget ends; says whether all of it fits.
    fn spend(mut self, message: &mut Message) -> bool {
        let said = [&mut message.content, &mut message.refusal];
        for text in said.into_iter().flatten() {
            self.cut(text);
        }
        message.tool_calls.retain_mut(|call| {
            let named = self.takes_whole(&call.function.name);
            if named {
                self.cut(&mut call.function.arguments);
            }
            named
        });
        self.within
    }

    fn cut(&mut self, text: &mut String) {
        let kept = tokenizer::truncate(text, self.left).len();
        self.within &= kept == text.len();
        text.truncate(kept);
        self.left -= tokenizer::count(text).min(self.left);
        if !self.within {
            self.left = 0;
        }
    }

    /// A name in part would be the name of another tool.
    fn takes_whole(&mut self, name: &str) -> bool {
        let tokens = tokenizer::count(name);
        let fits = self.within && tokens <= self.left;
        self.within = fits;
        self.left -= tokens.min(self.left);
        fits
    }
}
