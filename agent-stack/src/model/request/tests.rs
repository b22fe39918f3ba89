use super::*;
use crate::model::complete::complete;
use crate::model::engine::Engine;
use crate::model::openai::{FunctionOffer, Message, Role, ToolCall, ToolOffer};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

fn text() -> impl Strategy<Value = String> {
    ".{0,12}"
}

fn offers() -> impl Strategy<Value = Vec<ToolOffer>> {
    let offer = |(name, description): (String, String)| ToolOffer {
        r#type: "function".into(),
        function: FunctionOffer {
            name,
            description,
            parameters: json!({"type": "object"}),
        },
    };
    btree_map("[a-zA-Z0-9_.-]{1,20}", text(), 0..4)
        .prop_map(move |offers| offers.into_iter().map(offer).collect())
}

/// One side's turn: what a person says, or calls with their results.
fn turn() -> impl Strategy<Value = Vec<Message>> {
    let said = prop_oneof![Just(Role::User), Just(Role::System), Just(Role::Assistant)];
    let said = (said, text()).prop_map(|(role, text)| vec![Message::text(role, text)]);
    let called = btree_set("[a-z0-9]{1,6}", 1..4).prop_map(|ids| {
        let call = |id: &String| ToolCall::new(id, "f", &json!({}));
        let calls = Message::calls(ids.iter().map(call).collect());
        let results = ids.iter().map(|id| Message::result(id, "1"));
        std::iter::once(calls).chain(results).collect()
    });
    prop_oneof![said, called]
}

fn requests() -> impl Strategy<Value = ChatRequest> {
    let conversation = vec(turn(), 1..5).prop_map(|turns| turns.concat());
    (text(), conversation, offers(), any::<bool>()).prop_map(|(model, messages, tools, stream)| {
        ChatRequest {
            model,
            messages,
            tools,
            stream,
            ..ChatRequest::default()
        }
    })
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
        Just(json!("function")),
        Just(json!("json_schema")),
        Just(json!("user")),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            btree_map(member(), inner, 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Names that the parser looks at, so that random requests get past its first check.
const MEMBERS: [&str; 29] = [
    "model",
    "messages",
    "tools",
    "tool_choice",
    "type",
    "function",
    "name",
    "role",
    "content",
    "tool_calls",
    "tool_call_id",
    "id",
    "arguments",
    "parameters",
    "response_format",
    "json_schema",
    "schema",
    "stop",
    "n",
    "seed",
    "max_tokens",
    "stream",
    "stream_options",
    "logit_bias",
    "modalities",
    "temperature",
    "$ref",
    "properties",
    "pattern",
];

fn member() -> impl Strategy<Value = String> {
    prop_oneof![4 => select(&MEMBERS).prop_map(str::to_owned), 1 => text()]
}

proptest! {
    #[test]
    fn a_valid_request_is_read_as_it_was_written(request in requests(), seed in option::of(any::<i64>())) {
        let mut written = serde_json::to_value(&request).unwrap();
        if let Some(seed) = seed {
            written["seed"] = json!(seed);
        }
        let read = Completion::read(written.to_string().as_bytes()).unwrap();
        prop_assert_eq!(&read.chat, &request);
        prop_assert_eq!(read.seed, seed);
        prop_assert_eq!(read.tool_choice, ToolChoice::Auto);
    }

    #[test]
    fn no_json_makes_the_reader_fail(value in any_json()) {
        let _ = Completion::read(value.to_string().as_bytes());
    }

    #[test]
    fn no_member_makes_the_reader_fail(name in member(), value in any_json()) {
        let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
        request[name] = value;
        let _ = Completion::read(request.to_string().as_bytes());
    }

    #[test]
    fn whatever_can_be_read_is_answered_within_its_limits(
        request in requests(),
        name in member(),
        value in any_json(),
        limit in option::of(1_u32..20),
    ) {
        let mut written = serde_json::to_value(&request).unwrap();
        written[name] = value;
        if let Some(limit) = limit {
            written["max_tokens"] = json!(limit);
        }
        if let Ok(completion) = Completion::read(written.to_string().as_bytes()) {
            for engine in [Engine::RefPlannerV1, Engine::RefPlannerV2] {
                let answer = complete("m", engine, &completion).response;
                let tokens = answer.usage.completion_tokens;
                prop_assert!(tokens <= completion.max_tokens.unwrap_or(u32::MAX));
                let message = &answer.choices[0].message;
                prop_assert!(message.tool_calls.is_empty() || completion.tool_choice != ToolChoice::None);
                prop_assert_eq!(&complete("m", engine, &completion).response, &answer);
            }
        }
    }

    #[test]
    fn no_bytes_make_the_reader_fail(body in vec(any::<u8>(), 0..200)) {
        prop_assert!(Completion::read(&body).is_err());
    }
}

#[test]
fn equal_requests_have_equal_texts() {
    let one = br#"{"model": "m", "messages": [{"role": "user", "content": "x"}]}"#;
    let other = br#"{"messages":[{"content":"\u0078","role":"user"}],"model":"m"}"#;
    let text = |body: &[u8]| Completion::read(body).unwrap().text;
    assert_eq!(text(one), text(other));
}
