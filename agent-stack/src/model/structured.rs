//! Answers in the form of JSON that a request asks for.
//!
//! Every value in such an answer is the engine's own text or stands in a tool result of the conversation; a schema that
//! asks for anything else gets a refusal. Nothing is filled in to make an answer fit.

use super::openai::{ChatRequest, Message, Role};
use super::request::{AnswerFormat, AnswerSchema};
use serde_json::{Map, Value, json};

/// Most objects of the results that are tried, the latest first: a schema can be slow to check.
const MAX_FACTS: usize = 1_000;
/// Member that holds the engine's text where JSON is asked for.
const ANSWER: &str = "answer";

/// The engine's text message in the form that is asked for, or a refusal.
pub(super) fn conform(message: Message, format: &AnswerFormat, chat: &ChatRequest) -> Message {
    let text = message.content.as_deref().unwrap_or_default();
    match format {
        AnswerFormat::Text => message,
        AnswerFormat::Json if is_object(text) => message,
        AnswerFormat::Json => said(&json!({ ANSWER: text })),
        AnswerFormat::Schema(schema) => match conforming(text, schema, chat) {
            Some(value) => said(&value),
            None => Message::refusal(format!(
                "Nothing in this conversation answers in the form of the schema `{}`.",
                schema.name
            )),
        },
    }
}

fn said(value: &Value) -> Message {
    Message::text(Role::Assistant, value.to_string())
}

fn is_object(text: &str) -> bool {
    serde_json::from_str::<Map<String, Value>>(text).is_ok()
}

/// The first that conforms: facts out of one result with the engine's text beside them, or the text alone.
fn conforming(text: &str, schema: &AnswerSchema, chat: &ChatRequest) -> Option<Value> {
    let results: Vec<Value> = results(chat).collect();
    let facts = results.iter().rev().flat_map(objects).take(MAX_FACTS);
    facts
        .map(Some)
        .chain([None])
        .filter_map(|facts| project(facts, text, schema))
        .find(|candidate| schema.accepts(candidate))
}

/// The results of tools as JSON, in the order they came.
fn results(chat: &ChatRequest) -> impl Iterator<Item = Value> {
    let tools = chat
        .messages
        .iter()
        .filter(|message| message.role == Role::Tool);
    tools.filter_map(|message| serde_json::from_str(message.content.as_deref()?).ok())
}

/// Every object in `value`, outer ones first: facts are taken from one object, so that they belong together.
fn objects(value: &Value) -> Vec<&Map<String, Value>> {
    match value {
        Value::Object(members) => std::iter::once(members)
            .chain(members.values().flat_map(objects))
            .collect(),
        Value::Array(items) => items.iter().flat_map(objects).collect(),
        _ => Vec::new(),
    }
}

/// The members of `facts` that the schema has a place for, and the engine's text where it has one for that.
fn project(facts: Option<&Map<String, Value>>, text: &str, schema: &AnswerSchema) -> Option<Value> {
    let places = schema.schema.get("properties")?.as_object()?;
    let mut members: Map<String, Value> = facts
        .into_iter()
        .flatten()
        .filter(|(name, _)| places.contains_key(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if places.contains_key(ANSWER) {
        members.entry(ANSWER).or_insert_with(|| text.into());
    }
    (!members.is_empty()).then_some(Value::Object(members))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(properties: &Value) -> AnswerFormat {
        let required: Vec<_> = properties.as_object().unwrap().keys().collect();
        let schema = json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
        AnswerFormat::Schema(AnswerSchema::compile("form".into(), schema).unwrap())
    }

    fn conversation(results: &[Value]) -> ChatRequest {
        let messages = results
            .iter()
            .map(|result| Message::result("call", result.to_string()));
        ChatRequest {
            messages: messages.collect(),
            ..ChatRequest::default()
        }
    }

    fn answer(text: &str, format: &AnswerFormat, results: &[Value]) -> Result<Value, String> {
        let message = Message::text(Role::Assistant, text);
        let Message {
            content, refusal, ..
        } = conform(message, format, &conversation(results));
        match content {
            Some(content) => Ok(serde_json::from_str(&content).unwrap()),
            None => Err(refusal.unwrap()),
        }
    }

    #[test]
    fn a_sentence_becomes_an_object_and_an_object_stays() {
        assert_eq!(
            answer("Yes.", &AnswerFormat::Json, &[]),
            Ok(json!({"answer": "Yes."}))
        );
        assert_eq!(
            answer("{\"steps\": []}", &AnswerFormat::Json, &[]),
            Ok(json!({"steps": []}))
        );
    }

    #[test]
    fn facts_come_from_one_result_and_the_sentence_stands_beside_them() {
        let form = schema(
            &json!({"answer": {"type": "string"}, "sku": {"type": "string"}, "unitPrice": {"type": "number"}}),
        );
        let results = [
            json!({"hits": [{"sku": "SKU-1", "passage": "p"}]}),
            json!({"sku": "SKU-7", "unitPrice": 42.5, "currency": "EUR"}),
        ];
        let expected = json!({"answer": "It costs 42.50.", "sku": "SKU-7", "unitPrice": 42.5});
        assert_eq!(answer("It costs 42.50.", &form, &results), Ok(expected));
    }

    #[test]
    fn facts_of_two_objects_are_not_mixed() {
        let form = schema(&json!({"passage": {"type": "string"}, "unitPrice": {"type": "number"}}));
        let results = [
            json!({"hits": [{"passage": "p"}]}),
            json!({"unitPrice": 42.5}),
        ];
        assert!(answer("x", &form, &results).is_err());
    }

    #[test]
    fn what_nobody_said_is_refused_and_not_filled_in() {
        let form = schema(&json!({"answer": {"type": "string"}, "confidence": {"type": "number"}}));
        let refusal = answer("Yes.", &form, &[json!({"confidence": "high"})]).unwrap_err();
        assert!(refusal.contains("`form`"), "{refusal}");
    }

    #[test]
    fn a_value_that_breaks_the_schema_is_not_taken() {
        let form = schema(&json!({"unitPrice": {"type": "number", "maximum": 10}}));
        assert!(answer("x", &form, &[json!({"unitPrice": 42.5})]).is_err());
        let results = [
            json!({"unitPrice": 42.5}),
            json!({"items": [{"unitPrice": 99}, {"unitPrice": 9}]}),
        ];
        assert_eq!(answer("x", &form, &results), Ok(json!({"unitPrice": 9})));
    }
}
