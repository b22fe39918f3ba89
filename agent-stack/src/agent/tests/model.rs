//! Models that are busy, refuse, or make things up.

use super::*;
use axum::Json;

#[tokio::test]
async fn a_model_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let mut busy = two_steps();
    busy.insert(0, (StatusCode::TOO_MANY_REQUESTS, String::new()));
    busy.insert(1, (StatusCode::BAD_GATEWAY, String::new()));
    let bench = Bench::start(setup(busy, counts())).await;
    let events = bench.ask(60).await;
    assert!(
        matches!(events.last(), Some(AgentEvent::Answer { retries: 2, .. })),
        "{events:?}"
    );
    assert_eq!(bench.asked(), 4);
    let spans = bench.stop();
    let status = |code: &str| Some(code.to_owned());
    assert_eq!(
        attempts(&spans, "chat m"),
        [
            ("1".into(), status("429")),
            ("2".into(), status("502")),
            ("3".into(), None),
            ("1".into(), None)
        ]
    );

    let refuses = vec![(StatusCode::BAD_REQUEST, String::new())];
    let bench = Bench::start(setup(refuses, counts())).await;
    let events = bench.ask(60).await;
    assert_eq!(failure(&events).0, FailedPart::Model);
    assert_eq!(bench.asked(), 1);
    bench.stop();
}

/// Servers differ: with `tool_choice: none` one shows the model the offered tools and another does not, and without it a
/// model may call a tool in place of planning.
#[tokio::test]
async fn the_plan_is_asked_for_in_words_that_name_every_tool_and_with_calls_ruled_out() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let model = Router::new().fallback(move |Json(request): Json<Value>| {
        tell.send(request).unwrap();
        std::future::ready(StatusCode::BAD_REQUEST)
    });
    let bench = Bench::between(model, fakes::gateway(counts(), 0), HASTY, Arc::default()).await;
    bench.ask(60).await;
    bench.stop();
    let request = told.recv().await.unwrap();
    assert_eq!(request["tool_choice"], "none");
    let words = request["messages"][0]["content"].as_str().unwrap();
    let (_, listed) = words.split_once("The offered tools:\n").unwrap();
    let listed: Vec<Value> = serde_json::from_str(listed).unwrap();
    let offered = request["tools"].as_array().unwrap();
    let functions: Vec<_> = offered
        .iter()
        .map(|offer| offer["function"].clone())
        .collect();
    assert!(!listed.is_empty());
    assert_eq!(listed, functions);
}

#[tokio::test]
async fn what_a_model_makes_up_is_no_evidence_and_its_numbers_are_named() {
    let mut script = two_steps();
    script[1] = says("The tool `weigh` says 12.5 kg, and count says 7 (sha256:ffff).");
    let (events, _) = asked(setup(script, counts())).await;
    let Some(AgentEvent::Answer {
        evidence,
        unsupported_numbers,
        ..
    }) = events.last()
    else {
        panic!("{events:?}")
    };
    let tools: Vec<_> = evidence.iter().map(|call| call.tool.as_str()).collect();
    assert_eq!(tools, ["count", "shout"]);
    let returned = portproof_proto::canonical::digest(&json!({"n": 7})).unwrap();
    assert_eq!(
        evidence[0].result_sha256.as_deref(),
        Some(returned.as_str())
    );
    assert_eq!(*unsupported_numbers, ["12.5"]);
}

#[tokio::test]
async fn a_plan_that_builds_on_a_result_that_is_not_there_fails() {
    let reference = |from: &str, pointer: &str| json!({"x": {"from": from, "pointer": pointer}});
    let step =
        |id: &str, arguments: Value| json!({"id": id, "tool": "count", "arguments": arguments});
    let counter = Counter::default();
    for (steps, calls, part, expected) in [
        (
            json!([step("a", reference("z", ""))]),
            0,
            FailedPart::Model,
            "`z`, which is not an earlier step",
        ),
        (
            json!([step("a", reference("a", ""))]),
            0,
            FailedPart::Model,
            "`a`, which is not an earlier step",
        ),
        (
            json!([step("a", json!({})), step("b", reference("a", "/m"))]),
            1,
            FailedPart::Agent,
            "`count` cannot be called, because in the result of `count` there is no `m`",
        ),
        (
            json!([{"id": "a", "tool": "weigh"}]),
            0,
            FailedPart::Model,
            "`weigh`, which was not offered",
        ),
    ] {
        let counter = counter.clone();
        let before = counter.of("count");
        let seen = counter.clone();
        let behaviour = behaves(move |tool| {
            seen.add(&tool);
            async { CallToolResult::structured(json!({"n": 7})) }
        });
        let (events, _) = asked(setup(vec![plan(&steps), says("It is 7.")], behaviour)).await;
        let (failed, _, evidence, message) = failure(&events);
        assert_eq!(failed, part);
        assert!(message.contains(expected), "{message}");
        assert_eq!(
            (counter.of("count") - before, evidence.len()),
            (calls, calls as usize)
        );
    }
}

/// A model that answers every request like this.
fn model_that_says(message: &Value) -> Router {
    let completion = json!({"id": "c", "object": "chat.completion", "created": 0, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}});
    let answer = move || std::future::ready(axum::Json(completion.clone()));
    Router::new().route("/v1/chat/completions", axum::routing::post(answer))
}

#[tokio::test]
async fn a_model_that_refuses_is_told_in_its_words_and_not_as_one_without_an_answer() {
    let long = "I will not do that.\n".repeat(1_000);
    for (message, told) in [
        (
            json!({"role": "assistant", "content": null, "refusal": long}),
            "the model refused: \"I will not do that. I will",
        ),
        (
            json!({"role": "assistant", "content": " "}),
            "the model gave no answer",
        ),
    ] {
        let gateway = fakes::gateway(counts(), 0);
        let asked = Arc::new(AtomicU32::new(0));
        let bench = Bench::between(model_that_says(&message), gateway, HASTY, asked).await;
        let events = bench.ask(60).await;
        let (part, outcome, evidence, message) = failure(&events);
        assert_eq!((part, outcome), (FailedPart::Model, None));
        assert!(evidence.is_empty());
        assert!(message.starts_with(told), "{message}");
        assert!(message.chars().count() < 400, "{message}");
    }
}
