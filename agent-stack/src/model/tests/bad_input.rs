//! What a request that cannot be answered gets: OpenAI's error, with the member at fault.

use super::*;

/// Sends `request` and checks status, code and param of the error.
async fn refused(request: &Value, code: &str, param: &str) {
    let expected = (400, code.to_owned(), Some(param.to_owned()));
    assert_eq!(chat(request).await.error(), expected, "{request}");
}

async fn refused_with(more: Value, code: &str, param: &str) {
    refused(&with(question(), &more), code, param).await;
}

fn messages(messages: &Value) -> Value {
    json!({"model": "portproof-planner", "messages": messages})
}

#[tokio::test]
async fn what_is_no_json_is_refused() {
    let server = server();
    for (body, code) in [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("{} {}", "invalid_json"),
        ("[]", "invalid_type"),
        ("\"text\"", "invalid_type"),
    ] {
        assert_eq!(
            post(&server, body).await.error(),
            (400, code.to_owned(), None),
            "{body}"
        );
    }
    let binary = post(&server, b"{\"model\": \"\xff\"}".to_vec()).await;
    assert_eq!(binary.error(), (400, "invalid_json".to_owned(), None));
    assert!(binary.text.contains("byte 11"), "{}", binary.text);
}

#[tokio::test]
async fn a_member_that_is_there_twice_is_named() {
    let body = r#"{"model": "portproof-planner", "messages": [{"role": "user", "role": "system", "content": ""}]}"#;
    let expected = (
        400,
        "duplicate_member".to_owned(),
        Some("messages[0].role".to_owned()),
    );
    assert_eq!(post(&server(), body).await.error(), expected);
}

#[tokio::test]
async fn deep_nesting_is_refused() {
    let body = r#"{"model":"#.to_owned() + &"[".repeat(1_000_000);
    let (status, code, param) = post(&server(), body).await.error();
    assert_eq!((status, code.as_str()), (400, "invalid_json"));
    assert!(param.unwrap().starts_with("model[0][0]"));
}

#[tokio::test]
async fn a_body_that_is_too_large_or_no_json_by_its_type_is_refused() {
    let server = server();
    let large = post(&server, " ".repeat(3 * 1024 * 1024)).await;
    assert_eq!(large.error(), (413, "request_too_large".to_owned(), None));
    let form = Request::post(CHAT).header(header::CONTENT_TYPE, "text/plain");
    let form = send(&server, form.body(Body::from("{}")).unwrap()).await;
    assert_eq!(
        form.error(),
        (415, "unsupported_media_type".to_owned(), None)
    );
}

#[tokio::test]
async fn other_addresses_and_methods_get_an_error_of_the_same_shape() {
    let server = server();
    assert_eq!(
        get(&server, "/v1/completions").await.error(),
        (404, "unknown_url".to_owned(), None)
    );
    assert_eq!(
        get(&server, CHAT).await.error(),
        (405, "method_not_allowed".to_owned(), None)
    );
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let user = json!([{"role": "user", "content": "x"}]);
    refused(
        &json!({"messages": user}),
        "missing_required_parameter",
        "model",
    )
    .await;
    refused(
        &json!({"model": "m"}),
        "missing_required_parameter",
        "messages",
    )
    .await;
    refused(&messages(&json!([])), "invalid_value", "messages").await;
    refused(
        &messages(&json!([{"role": "user"}])),
        "missing_required_parameter",
        "messages[0].content",
    )
    .await;
    refused(
        &messages(&json!([{"role": "assistant"}])),
        "missing_required_parameter",
        "messages[0].content",
    )
    .await;
}

#[tokio::test]
async fn wrong_types_and_unknown_roles_are_named() {
    refused(&messages(&json!("no")), "invalid_type", "messages").await;
    refused(
        &messages(&json!([["user", "x"]])),
        "invalid_value",
        "messages[0]",
    )
    .await;
    refused(
        &messages(&json!([{"role": "robot", "content": "x"}])),
        "invalid_type",
        "messages[0].role",
    )
    .await;
    refused(
        &messages(&json!([{"role": "user", "content": 1}])),
        "invalid_type",
        "messages[0].content",
    )
    .await;
    refused(
        &with(question(), &json!({"model": 5})),
        "invalid_type",
        "model",
    )
    .await;
    refused_with(json!({"stream": "yes"}), "invalid_type", "stream").await;
    refused_with(json!({"seed": "x"}), "invalid_type", "seed").await;
    refused_with(json!({"temperature": "hot"}), "invalid_type", "temperature").await;
    refused_with(json!({"tools": {}}), "invalid_type", "tools").await;
}

#[tokio::test]
async fn a_part_that_is_no_text_is_refused() {
    let image = json!([{"type": "image_url", "image_url": {"url": "http://127.0.0.1/x.png"}}]);
    let answered = chat(&messages(&json!([{"role": "user", "content": image}]))).await;
    let (status, code, param) = answered.error();
    assert_eq!((status, code.as_str()), (400, "invalid_type"));
    assert!(
        param.unwrap().starts_with("messages[0].content"),
        "{}",
        answered.text
    );
}

#[tokio::test]
async fn results_belong_to_calls_and_calls_have_results() {
    let user = json!({"role": "user", "content": "x"});
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let calls = |ids: &[&str]| json!({"role": "assistant", "tool_calls": ids.iter().map(|id| call(id)).collect::<Vec<_>>()});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "1"});
    let invalid = "invalid_value";
    refused(
        &messages(&json!([user, result("a")])),
        invalid,
        "messages[1].tool_call_id",
    )
    .await;
    refused(
        &messages(&json!([user, calls(&["a"]), result("b")])),
        invalid,
        "messages[2].tool_call_id",
    )
    .await;
    refused(
        &messages(&json!([user, calls(&["a"]), result("a"), result("a")])),
        invalid,
        "messages[3].tool_call_id",
    )
    .await;
    refused(
        &messages(&json!([user, calls(&["a", "b"]), result("b")])),
        invalid,
        "messages[1].tool_calls",
    )
    .await;
    refused(
        &messages(&json!([user, calls(&["a"]), user])),
        invalid,
        "messages[1].tool_calls",
    )
    .await;
    refused(
        &messages(&json!([user, calls(&["a", "a"])])),
        invalid,
        "messages[1].tool_calls[1].id",
    )
    .await;
    let nameless = json!({"role": "tool", "content": "1"});
    refused(
        &messages(&json!([user, calls(&["a"]), nameless])),
        "missing_required_parameter",
        "messages[2].tool_call_id",
    )
    .await;
    let both = messages(&json!([user, calls(&["a", "b"]), result("b"), result("a")]));
    assert_eq!(chat(&both).await.status, StatusCode::OK);
}

#[tokio::test]
async fn tools_and_the_choice_of_them_are_checked() {
    let twice = json!([function("f", "", "x"), function("f", "", "x")]);
    refused_with(
        json!({"tools": twice}),
        "invalid_value",
        "tools[1].function.name",
    )
    .await;
    refused_with(
        json!({"tools": [function("a b", "", "x")]}),
        "invalid_value",
        "tools[0].function.name",
    )
    .await;
    refused_with(
        json!({"tools": [{"type": "custom", "function": {"name": "f"}}]}),
        "invalid_value",
        "tools[0].type",
    )
    .await;
    let list = json!([{"type": "function", "function": {"name": "f", "parameters": []}}]);
    refused_with(
        json!({"tools": list}),
        "invalid_value",
        "tools[0].function.parameters",
    )
    .await;
    refused_with(
        json!({"tool_choice": "always"}),
        "invalid_value",
        "tool_choice",
    )
    .await;
    refused_with(
        json!({"tool_choice": {"type": "allowed_tools"}}),
        "invalid_value",
        "tool_choice.type",
    )
    .await;
    refused_with(
        json!({"tool_choice": {"type": "function"}}),
        "invalid_type",
        "tool_choice",
    )
    .await;
    let unknown = json!({"type": "function", "function": {"name": "fly"}});
    refused_with(
        json!({"tool_choice": unknown}),
        "invalid_value",
        "tool_choice.function.name",
    )
    .await;
    let required = json!({"tools": [], "tool_choice": "required"});
    refused_with(required, "invalid_value", "tool_choice").await;
    refused_with(
        json!({"tools": [], "parallel_tool_calls": true}),
        "invalid_value",
        "parallel_tool_calls",
    )
    .await;
}

#[tokio::test]
async fn parameters_out_of_range_are_named() {
    for (more, param) in [
        (json!({"temperature": 2.5}), "temperature"),
        (json!({"top_p": -0.1}), "top_p"),
        (json!({"presence_penalty": 3}), "presence_penalty"),
        (json!({"frequency_penalty": -3}), "frequency_penalty"),
        (json!({"logit_bias": {"5": 101}}), "logit_bias"),
        (json!({"max_tokens": 0}), "max_tokens"),
        (
            json!({"max_completion_tokens": -1}),
            "max_completion_tokens",
        ),
        (
            json!({"max_tokens": 1, "max_completion_tokens": 1}),
            "max_tokens",
        ),
        (json!({"stop": ["a", "b", "c", "d", "e"]}), "stop"),
        (json!({"stop": ""}), "stop"),
        (json!({"stop": [1]}), "stop"),
        (json!({"stream_options": {}}), "stream_options"),
    ] {
        refused_with(more, "invalid_value", param).await;
    }
}

#[tokio::test]
async fn what_the_engine_does_not_do_is_said() {
    for (more, param) in [
        (json!({"n": 2}), "n"),
        (json!({"logprobs": true}), "logprobs"),
        (json!({"top_logprobs": 3}), "top_logprobs"),
        (json!({"modalities": ["text", "audio"]}), "modalities"),
        (json!({"functions": []}), "functions"),
    ] {
        refused_with(more, "unsupported_parameter", param).await;
    }
    let fine = json!({"n": 1, "logprobs": false, "modalities": ["text"], "stop": null, "tool_choice": null, "something_new": {}});
    assert_eq!(chat(&with(question(), &fine)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_form_that_cannot_be_is_refused() {
    let format = |format: Value| json!({"response_format": format});
    refused_with(
        format(json!({"type": "yaml"})),
        "invalid_value",
        "response_format.type",
    )
    .await;
    refused_with(
        format(json!({"type": "json_schema"})),
        "missing_required_parameter",
        "response_format.json_schema",
    )
    .await;
    let schema = |schema: Value| json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
    let param = "response_format.json_schema.schema";
    refused_with(
        format(schema(Value::Null)),
        "missing_required_parameter",
        param,
    )
    .await;
    refused_with(
        format(schema(json!({"type": "number-ish"}))),
        "invalid_value",
        param,
    )
    .await;
    refused_with(
        format(schema(json!({"$ref": "http://127.0.0.1:9/s"}))),
        "invalid_value",
        param,
    )
    .await;
}
