use super::*;
use crate::strict_json::MAX_DEPTH;
use crate::telemetry::chain;
use proptest::prelude::*;
use serde_json::json;

fn refusal(body: &str) -> String {
    chain(&Message::read(body.as_bytes()).unwrap_err())
}

#[test]
fn a_request_is_read_with_its_id_method_and_parameters() {
    let body =
        json!({"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": "x"}});
    let message = Message::read(body.to_string().as_bytes()).unwrap();
    assert_eq!(message.method(), Some("tools/call"));
    assert_eq!(message.id(), Some(&json!("a")));
    assert_eq!(message.param("name"), Some(&json!("x")));
}

#[test]
fn a_member_that_is_there_twice_is_refused_wherever_it_is() {
    let twice = r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"arguments":{"x":1,"x":2}}}"#;
    assert_eq!(
        refusal(twice),
        "the body is not usable as JSON: the member `params.arguments.x` is there twice"
    );
    assert!(refusal(r#"{"jsonrpc":"2.0","method":"a","method":"b"}"#).contains("`method`"));
    // The same name, escaped.
    assert!(refusal(r#"{"jsonrpc":"2.0","method":"a","m\u0065thod":"b"}"#).contains("twice"));
}

#[test]
fn what_is_no_message_is_refused_with_what_would_be_right() {
    for (body, told) in [
        ("", "EOF while parsing"),
        ("{\"a\"", "EOF while parsing"),
        ("{} {}", "trailing characters"),
        ("[]", "the body is an array"),
        ("7", "the body is a number"),
        (r#"{"jsonrpc":"1.0","method":"a"}"#, "`jsonrpc` must be"),
        (
            r#"{"jsonrpc":"2.0","id":null,"method":"a"}"#,
            "`id` must be",
        ),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"a"}"#, "`id` must be"),
        (r#"{"jsonrpc":"2.0","id":1}"#, "needs the member `method`"),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a","result":1}"#,
            "neither `result` nor `error`",
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, "`method` must be"),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a","params":[1]}"#,
            "`params` must be",
        ),
    ] {
        let found = refusal(body);
        assert!(found.contains(told), "{body}: {found}");
    }
}

#[test]
fn a_broken_envelope_is_answered_under_its_id() {
    let error = Message::read(br#"{"jsonrpc":"2.0","id":7,"method":false}"#).unwrap_err();
    assert_eq!((error.id(), error.is_syntax()), (Some(&json!(7)), false));
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_place() {
    let error = Message::read(b"{\"a\xff\":1}").unwrap_err();
    assert!(
        matches!(
            error,
            MessageError::Json(StrictJsonError::Encoding { offset: 3 })
        ),
        "{error}"
    );
    assert!(error.is_syntax());
}

#[test]
fn nesting_is_allowed_to_the_limit_and_no_further() {
    let nested = |depth: usize| {
        let inner = "[".repeat(depth) + &"]".repeat(depth);
        format!(r#"{{"jsonrpc":"2.0","method":"a","params":{{"x":{inner}}}}}"#)
    };
    // The message and its parameters are two levels.
    assert!(Message::read(nested(MAX_DEPTH - 2).as_bytes()).is_ok());
    let told = refusal(&nested(MAX_DEPTH - 1));
    assert!(
        told.contains("`params.x[0]") && told.contains("deeper than 100 levels"),
        "{told}"
    );
    assert!(refusal(&nested(100_000)).contains("deeper than"));
}

#[test]
fn an_older_server_does_not_see_what_the_stateless_revision_reserved() {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "progressToken": 3}}});
    let message = Message::read(body.to_string().as_bytes()).unwrap();
    assert!(message.describes_itself());
    let left = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {"progressToken": 3}}});
    assert_eq!(message.without_reserved_metadata(), left);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,8}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = Message::read(&body);
    }

    #[test]
    fn any_text_of_json_tokens_is_read_or_refused(
        body in "[\\[\\]{}:,\"a01.e\\-\\\\ntrufalse ]{0,64}"
    ) {
        let _ = Message::read(body.as_bytes());
    }

    #[test]
    fn a_request_keeps_all_it_says(
        id in prop_oneof![any::<i64>().prop_map(Value::from), "\\PC{0,12}".prop_map(Value::from)],
        method in "\\PC{0,24}",
        arguments in value(),
    ) {
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {"arguments": arguments}});
        let message = Message::read(body.to_string().as_bytes()).unwrap();
        prop_assert_eq!(message.id(), Some(&id));
        prop_assert_eq!(message.method(), Some(method.as_str()));
        prop_assert_eq!(message.param("arguments"), Some(&arguments));
    }
}
