//! Conversations about what the engine knows nothing of.

use super::*;

async fn message(request: &Value) -> Value {
    chat(request).await.json()["choices"][0]["message"].take()
}

fn ask(text: &str) -> Value {
    json!({"model": "portproof-planner", "messages": [{"role": "user", "content": text}]})
}

#[tokio::test]
async fn an_unknown_task_without_tools_is_not_answered_with_facts() {
    for (task, said) in [
        (
            "Write a poem about the sea.",
            "Nothing was found that answers the question.",
        ),
        (
            "Who won the cup in 1998?",
            "Nothing was found that answers the question.",
        ),
        (
            "What does a P-100 pump cost?",
            "No price was found, so the cost cannot be told.",
        ),
        ("", "Nothing was found that answers the question."),
    ] {
        assert_eq!(message(&ask(task)).await["content"], said, "{task}");
    }
}

#[tokio::test]
async fn a_task_that_no_tool_is_for_names_what_is_missing() {
    let weather = json!({"tools": [function("weather", "Tells the weather of a city.", "city")]});
    for task in ["What is the weather in Oslo?", "What does SKU-1 cost?"] {
        let message = message(&with(ask(task), &weather)).await;
        assert!(message.get("tool_calls").is_none(), "{task}");
        assert!(
            message["content"]
                .as_str()
                .unwrap()
                .starts_with("I cannot do this without "),
            "{task}"
        );
    }
}

#[tokio::test]
async fn a_tool_that_failed_gives_no_fact() {
    let mut request = answered_question();
    request["messages"][2]["content"] = json!("the catalog does not answer: 503");
    assert_eq!(
        message(&request).await["content"],
        "No price was found, so the cost cannot be told."
    );
}
