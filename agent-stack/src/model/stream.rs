//! Streams an answer as server-sent events, in the chunks OpenAI's API uses.

use super::openai::{ChatResponse, Choice, ToolCall, Usage};
use axum::response::sse::{Event, Sse};
use futures::Stream;
use futures::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use std::convert::Infallible;

/// The answer as a stream of events that ends with `[DONE]`.
pub(super) fn events(
    response: &ChatResponse,
    include_usage: bool,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let done = stream::once(async { Ok(Event::default().data("[DONE]")) });
    let chunks = chunks(response, include_usage)
        .into_iter()
        .map(|chunk| Ok(Event::default().data(chunk.to_string())));
    Sse::new(stream::iter(chunks).chain(done))
}

fn chunks(response: &ChatResponse, include_usage: bool) -> Vec<Value> {
    let mut chunks: Vec<Value> = response
        .choices
        .iter()
        .flat_map(deltas)
        .map(|choice| chunk(response, &[choice]))
        .collect();
    if include_usage {
        let mut last = chunk(response, &[]);
        last["usage"] = json!(usage(response.usage));
        chunks.push(last);
    }
    chunks
}

fn chunk(response: &ChatResponse, choices: &[Value]) -> Value {
    json!({
        "id": response.id,
        "object": "chat.completion.chunk",
        "created": response.created,
        "model": response.model,
        "choices": choices,
    })
}

fn deltas(choice: &Choice) -> Vec<Value> {
    let mut deltas = vec![delta(choice, &json!({"role": "assistant"}), &Value::Null)];
    let text = choice.message.content.as_deref().unwrap_or_default();
    deltas.extend(
        text.split_inclusive(' ')
            .map(|word| delta(choice, &json!({"content": word}), &Value::Null)),
    );
    let calls = choice.message.tool_calls.iter().enumerate();
    deltas.extend(calls.map(|(index, call)| delta(choice, &call_delta(index, call), &Value::Null)));
    deltas.push(delta(choice, &json!({}), &json!(choice.finish_reason)));
    deltas
}

fn delta(choice: &Choice, delta: &Value, finish_reason: &Value) -> Value {
    json!({"index": choice.index, "delta": delta, "finish_reason": finish_reason})
}

fn call_delta(index: usize, call: &ToolCall) -> Value {
    let mut call = json!(call);
    call["index"] = json!(index);
    json!({"tool_calls": [call]})
}

fn usage(usage: Usage) -> Value {
    json!(usage)
}
