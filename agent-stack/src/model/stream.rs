//! Streams an answer as server-sent events, in the chunks OpenAI's API uses.

use super::openai::{ChatResponse, Choice, Message, ToolCall};
use super::tokenizer;
use serde_json::{Value, json};

/// Tokens of one piece of text or arguments.
const PIECE: u32 = 4;

/// The last event of a stream.
pub(super) const DONE: &str = "[DONE]";

/// The answer in chunks: the role, the pieces of what is said and called, the reason why it ends, and the usage where
/// it is asked for.
pub(super) fn chunks(response: &ChatResponse, include_usage: bool) -> Vec<Value> {
    let mut chunks: Vec<Value> = response
        .choices
        .iter()
        .flat_map(deltas)
        .map(|choice| chunk(response, &[choice]))
        .collect();
    if include_usage {
        for chunk in &mut chunks {
            chunk["usage"] = Value::Null;
        }
        let mut last = chunk(response, &[]);
        last["usage"] = json!(response.usage);
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
        "system_fingerprint": response.system_fingerprint,
        "choices": choices,
    })
}

fn deltas(choice: &Choice) -> Vec<Value> {
    let Choice {
        index,
        message,
        finish_reason,
    } = choice;
    let open = |delta: Value| json!({"index": index, "delta": delta, "logprobs": null, "finish_reason": null});
    let mut deltas = vec![open(role(message))];
    deltas.extend(texts("content", message.content.as_deref()).map(open));
    deltas.extend(texts("refusal", message.refusal.as_deref()).map(open));
    let calls = message.tool_calls.iter().enumerate();
    deltas.extend(
        calls
            .flat_map(|(index, call)| call_deltas(index, call))
            .map(open),
    );
    deltas.push(
        json!({"index": index, "delta": {}, "logprobs": null, "finish_reason": finish_reason}),
    );
    deltas
}

fn role(message: &Message) -> Value {
    let content = message.content.as_ref().map(|_| "");
    json!({"role": "assistant", "content": content, "refusal": null})
}

fn texts(member: &'static str, text: Option<&str>) -> impl Iterator<Item = Value> {
    tokenizer::pieces(text.unwrap_or_default(), PIECE).map(move |piece| json!({member: piece}))
}

/// Id and name come first, the arguments in pieces after them.
fn call_deltas(index: usize, call: &ToolCall) -> Vec<Value> {
    let ToolCall {
        id,
        r#type,
        function,
    } = call;
    let begin = json!({"index": index, "id": id, "type": r#type, "function": {"name": function.name, "arguments": ""}});
    let pieces = tokenizer::pieces(&function.arguments, PIECE)
        .map(|piece| json!({"index": index, "function": {"arguments": piece}}));
    std::iter::once(begin)
        .chain(pieces)
        .map(|call| json!({"tool_calls": [call]}))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::openai::{Role, Usage};

    fn response(message: Message, finish_reason: &str) -> ChatResponse {
        let choice = Choice {
            index: 0,
            message,
            finish_reason: finish_reason.into(),
        };
        let usage = Usage {
            prompt_tokens: 5,
            completion_tokens: 2,
            total_tokens: 7,
        };
        ChatResponse {
            id: "chatcmpl-1".into(),
            object: "chat.completion".into(),
            created: 1,
            model: "m".into(),
            system_fingerprint: Some("fp".into()),
            choices: vec![choice],
            usage,
        }
    }

    fn deltas_of(response: &ChatResponse) -> Vec<String> {
        let all = chunks(response, false).into_iter().map(|mut chunk| {
            assert!(chunk.get("usage").is_none());
            let mut choice = chunk["choices"][0].take();
            let reason = choice["finish_reason"].take();
            format!("{} {reason}", choice["delta"])
        });
        all.collect()
    }

    #[test]
    fn a_text_comes_after_the_role_and_before_the_reason() {
        let response = response(
            Message::text(Role::Assistant, "Use ISO VG 220 oil."),
            "stop",
        );
        insta::assert_snapshot!(deltas_of(&response).join("\n"), @r#"
        {"content":"","refusal":null,"role":"assistant"} null
        {"content":"Use ISO VG 220 o"} null
        {"content":"il."} null
        {} "stop"
        "#);
    }

    #[test]
    fn a_call_comes_with_its_id_and_name_and_then_its_arguments_in_pieces() {
        let calls = vec![
            ToolCall::new("step-1", "price", &json!({"sku": "SKU-2048"})),
            ToolCall::new("step-2", "find", &json!({})),
        ];
        let response = response(Message::calls(calls), "tool_calls");
        insta::assert_snapshot!(deltas_of(&response).join("\n"), @r#"
        {"content":null,"refusal":null,"role":"assistant"} null
        {"tool_calls":[{"function":{"arguments":"","name":"price"},"id":"step-1","index":0,"type":"function"}]} null
        {"tool_calls":[{"function":{"arguments":"{\"sku\":\"SKU-2048"},"index":0}]} null
        {"tool_calls":[{"function":{"arguments":"\"}"},"index":0}]} null
        {"tool_calls":[{"function":{"arguments":"","name":"find"},"id":"step-2","index":1,"type":"function"}]} null
        {"tool_calls":[{"function":{"arguments":"{}"},"index":1}]} null
        {} "tool_calls"
        "#);
    }

    #[test]
    fn a_refusal_is_streamed_as_one() {
        let response = response(Message::refusal("No."), "stop");
        insta::assert_snapshot!(deltas_of(&response).join("\n"), @r#"
        {"content":null,"refusal":null,"role":"assistant"} null
        {"refusal":"No."} null
        {} "stop"
        "#);
    }

    #[test]
    fn the_usage_comes_last_without_choices_and_is_null_before() {
        let chunks = chunks(&response(Message::text(Role::Assistant, "x"), "stop"), true);
        let (last, before) = chunks.split_last().unwrap();
        assert!(
            before
                .iter()
                .all(|chunk| chunk.get("usage") == Some(&Value::Null))
        );
        assert_eq!(last["choices"], json!([]));
        assert_eq!(last["usage"]["total_tokens"], 7);
    }
}
