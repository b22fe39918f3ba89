//! What a well-formed request gets.

use super::*;

async fn choice(request: &Value) -> Value {
    let answered = chat(request).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.text);
    answered.json()["choices"][0].take()
}

fn schema_format(schema: &Value) -> Value {
    json!({"response_format": {"type": "json_schema", "json_schema": {"name": "offer", "strict": true, "schema": schema}}})
}

#[tokio::test]
async fn a_completion_calls_the_offered_tool_and_counts_tokens() {
    let answered = chat(&question()).await;
    let body = answered.json();
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["model"], "model-stable");
    assert_eq!(body["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(
        body["choices"][0]["message"]["tool_calls"][0]["function"],
        json!({"name": "price", "arguments": r#"{"sku":"SKU-1"}"#})
    );
    let tokens = |name: &str| body["usage"][name].as_u64().unwrap();
    assert!(tokens("prompt_tokens") > 0 && tokens("completion_tokens") > 0);
    assert_eq!(
        tokens("total_tokens"),
        tokens("prompt_tokens") + tokens("completion_tokens")
    );
}

#[tokio::test]
async fn a_completion_answers_from_the_results() {
    let choice = choice(&answered_question()).await;
    assert_eq!(choice["message"]["content"], ANSWER);
    assert_eq!(choice["finish_reason"], "stop");
}

#[tokio::test]
async fn a_stream_says_the_same_in_chunks() {
    for request in [question(), answered_question()] {
        let whole = chat(&request).await.json();
        let options = json!({"stream": true, "stream_options": {"include_usage": true}});
        let streamed = chat(&with(request, &options)).await;
        assert!(
            streamed.headers[header::CONTENT_TYPE]
                .to_str()
                .unwrap()
                .starts_with("text/event-stream")
        );
        let chunks = streamed.chunks();
        let text: String = chunks
            .iter()
            .filter_map(|chunk| chunk.pointer("/choices/0/delta/content")?.as_str())
            .collect();
        let message = &whole["choices"][0]["message"];
        assert_eq!(text, message["content"].as_str().unwrap_or_default());
        let arguments: String = chunks
            .iter()
            .filter_map(|chunk| {
                chunk
                    .pointer("/choices/0/delta/tool_calls/0/function/arguments")?
                    .as_str()
            })
            .collect();
        let called = message.pointer("/tool_calls/0/function/arguments");
        assert_eq!(
            arguments,
            called.and_then(Value::as_str).unwrap_or_default()
        );
        assert_eq!(chunks.last().unwrap()["usage"], whole["usage"]);
        assert!(
            chunks
                .iter()
                .all(|chunk| chunk["system_fingerprint"] == whole["system_fingerprint"])
        );
    }
}

#[tokio::test]
async fn equal_requests_get_equal_answers_on_every_server() {
    let request = with(question(), &json!({"seed": 7}));
    let first = chat(&request).await.text;
    let reordered = r#"{"seed":7,"model":"portproof-planner","tools":TOOLS,"messages":[{"content":"What is the price of SKU-1?","role":"user"}]}"#;
    let other = post(&server(), reordered.replace("TOOLS", &tools().to_string()))
        .await
        .text;
    assert_eq!(first, other);
    assert!(
        first.contains("\"system_fingerprint\":\"fp_ref-planner-v1_seed7\""),
        "{first}"
    );
    let seeded = chat(&with(question(), &json!({"seed": 8}))).await.json();
    let first: Value = serde_json::from_str(&first).unwrap();
    assert_ne!(first["id"], seeded["id"]);
    assert_eq!(first["choices"], seeded["choices"]);
}

#[tokio::test]
async fn the_fingerprint_says_which_engine_answered() {
    let answered = post(&engine_server(Engine::RefPlannerV2), question().to_string()).await;
    assert_eq!(answered.json()["system_fingerprint"], "fp_ref-planner-v2");
}

#[tokio::test]
async fn a_tool_choice_of_none_calls_nothing() {
    let choice = choice(&with(question(), &json!({"tool_choice": "none"}))).await;
    assert!(choice["message"].get("tool_calls").is_none());
    assert_eq!(
        choice["message"]["content"],
        "No price was found, so the cost cannot be told."
    );
}

#[tokio::test]
async fn a_named_tool_is_called_also_when_the_plan_would_begin_with_another() {
    let named = json!({"tool_choice": {"type": "function", "function": {"name": "find"}}});
    let mut request = with(question(), &named);
    request["messages"][0]["content"] = json!("Which oil does the gearbox take?");
    let called = choice(&request).await;
    assert_eq!(
        called["message"]["tool_calls"][0]["function"]["name"],
        "find"
    );
}

#[tokio::test]
async fn a_call_that_makes_no_sense_is_refused_with_the_reason() {
    let named = json!({"tool_choice": {"type": "function", "function": {"name": "find"}}});
    let choice = choice(&with(question(), &named)).await;
    assert_eq!(choice["message"]["content"], Value::Null);
    let refusal = choice["message"]["refusal"].as_str().unwrap();
    assert!(refusal.contains("a tool that tells the price"), "{refusal}");
}

#[tokio::test]
async fn a_required_call_is_made_or_refused() {
    let required = json!({"tool_choice": "required"});
    let called = choice(&with(question(), &required)).await;
    assert_eq!(called["finish_reason"], "tool_calls");
    let done = with(
        answered_question(),
        &json!({"tools": tools(), "tool_choice": "required"}),
    );
    let refused = choice(&done).await;
    assert!(
        refused["message"]["refusal"]
            .as_str()
            .unwrap()
            .starts_with("There is no tool to call.")
    );
}

#[tokio::test]
async fn json_is_an_object_with_the_answer() {
    let json_object = json!({"response_format": {"type": "json_object"}});
    let choice = choice(&with(answered_question(), &json_object)).await;
    let content: Value =
        serde_json::from_str(choice["message"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(content, json!({"answer": ANSWER}));
}

#[tokio::test]
async fn an_answer_conforms_to_the_schema_or_is_refused() {
    let properties = json!({"answer": {"type": "string"}, "unitPrice": {"type": "number"}});
    let schema = json!({"type": "object", "properties": properties, "required": ["answer", "unitPrice"], "additionalProperties": false});
    let fits = choice(&with(answered_question(), &schema_format(&schema))).await;
    let content: Value =
        serde_json::from_str(fits["message"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(content, json!({"answer": ANSWER, "unitPrice": 42.5}));

    let unknown = json!({"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]});
    let refused = choice(&with(answered_question(), &schema_format(&unknown))).await;
    assert_eq!(refused["message"]["content"], Value::Null);
    assert!(
        refused["message"]["refusal"]
            .as_str()
            .unwrap()
            .contains("`offer`")
    );
}

/// `request` with an operator who speaks of plans.
fn planned(mut request: Value) -> Value {
    let operator = json!({"role": "system", "content": "You help to plan purchases."});
    request["messages"]
        .as_array_mut()
        .unwrap()
        .insert(0, operator);
    request
}

#[tokio::test]
async fn a_plan_is_the_answer_where_the_schema_is_one_of_plans() {
    let steps = json!({"type": "object", "properties": {"steps": {"type": "array"}}, "required": ["steps"]});
    let request = with(planned(question()), &schema_format(&steps));
    let content = choice(&request).await["message"]["content"].take();
    let plan: Value = serde_json::from_str(content.as_str().unwrap()).unwrap();
    assert_eq!(plan["steps"][0]["tool"], "price");
}

#[tokio::test]
async fn a_plan_is_not_the_answer_where_another_form_is_asked_for() {
    let answer = json!({"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]});
    let request = with(planned(answered_question()), &schema_format(&answer));
    let content = choice(&request).await["message"]["content"].take();
    assert_eq!(content, json!({"answer": ANSWER}).to_string());
    let asked = choice(&with(planned(question()), &schema_format(&answer))).await;
    assert_eq!(asked["finish_reason"], "tool_calls");
}

#[tokio::test]
async fn a_schema_that_turns_in_circles_ends_no_server() {
    let server = server();
    for schema in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
        json!({"type": "object", "properties": {"answer": {"$dynamicRef": "#"}}}),
    ] {
        let request = with(answered_question(), &schema_format(&schema));
        let status = post(&server, request.to_string()).await.status;
        assert!(
            status == StatusCode::OK || status == StatusCode::BAD_REQUEST,
            "{schema}"
        );
    }
}

#[tokio::test]
async fn an_answer_ends_before_a_stop_sequence() {
    for stop in [json!(" costs"), json!(["EUR", " costs", "never"])] {
        let stopped = choice(&with(answered_question(), &json!({"stop": stop}))).await;
        assert_eq!(stopped["message"]["content"], "One unit of Seal (SKU-1)");
        assert_eq!(stopped["finish_reason"], "stop");
    }
}

#[tokio::test]
async fn an_answer_has_at_most_the_tokens_it_may_have() {
    for name in ["max_tokens", "max_completion_tokens"] {
        let answered = chat(&with(answered_question(), &json!({name: 3})))
            .await
            .json();
        assert_eq!(answered["choices"][0]["message"]["content"], &ANSWER[..12]);
        assert_eq!(answered["choices"][0]["finish_reason"], "length");
        assert_eq!(answered["usage"]["completion_tokens"], 3);
    }
    let whole = chat(&with(answered_question(), &json!({"max_tokens": 11})))
        .await
        .json();
    assert_eq!(whole["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn a_call_may_be_cut_in_its_arguments_but_not_in_its_name() {
    let cut = choice(&with(question(), &json!({"max_tokens": 4}))).await;
    assert_eq!(
        cut["message"]["tool_calls"][0]["function"],
        json!({"name": "price", "arguments": "{\"sku\":\""})
    );
    assert_eq!(cut["finish_reason"], "length");
    let none = choice(&with(question(), &json!({"max_tokens": 1}))).await;
    assert!(none["message"].get("tool_calls").is_none());
    assert_eq!(none["finish_reason"], "length");
}

#[tokio::test]
async fn parameters_that_change_nothing_are_named_in_a_header() {
    let answered = chat(&with(
        question(),
        &json!({"temperature": 0.2, "top_p": 1, "user": "u"}),
    ))
    .await;
    assert_eq!(
        answered.headers["x-portproof-ignored-parameters"],
        "temperature, top_p"
    );
    let plain = chat(&question()).await;
    assert!(!plain.headers.contains_key("x-portproof-ignored-parameters"));
}

#[tokio::test]
async fn only_one_call_is_made_where_calls_may_not_be_parallel() {
    let server = engine_server(Engine::RefPlannerV2);
    let told = |text: &str, result: Value| crate::plan::describe(text, Some(&result));
    let text = json!({"type": "string"});
    let price = json!({"properties": {"sku": text, "unitPrice": {"type": "number"}}});
    let tools = [
        function(
            "price",
            &told("Looks up the price of an item.", price),
            "sku",
        ),
        function("py", "Runs Python code.", "code"),
    ];
    let two = json!({"model": "portproof-planner", "tools": tools,
        "messages": [{"role": "user", "content": "What do 1 SKU-1 and 1 SKU-2 cost?"}]});
    for (parallel, calls) in [(true, 2), (false, 1)] {
        let asked = with(two.clone(), &json!({"parallel_tool_calls": parallel}));
        let answered = post(&server, asked.to_string()).await.json();
        let message = &answered["choices"][0]["message"];
        assert_eq!(
            message["tool_calls"].as_array().unwrap().len(),
            calls,
            "{answered}"
        );
    }
}
