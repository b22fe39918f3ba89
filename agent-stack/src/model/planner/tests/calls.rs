//! Function calling, one turn after the other.

use super::*;

#[test]
fn function_calling_goes_step_by_step_with_resolved_arguments() {
    let mut asked = request(REQUEST, offers());
    let first = reply(&asked, RefPlannerV1);
    assert_eq!(first.tool_calls[0].function.name, "find_docs");
    asked.messages.push(first);
    asked.messages.push(Message::result(
        "step-1",
        json!({"hits": [{"sku": "SKU-7"}]}).to_string(),
    ));
    let second = reply(&asked, RefPlannerV1);
    assert_eq!(second.tool_calls[0].id, "step-2");
    assert_eq!(
        second.tool_calls[0].function.arguments,
        r#"{"sku":"SKU-7"}"#
    );
}

#[test]
fn function_calling_of_the_second_version_asks_for_independent_calls_at_once() {
    let asked = request(ERRAND, offers());
    let ids = |message: Message| -> Vec<String> {
        message.tool_calls.into_iter().map(|call| call.id).collect()
    };
    assert_eq!(ids(reply(&asked, RefPlannerV1)), ["step-1"]);
    assert_eq!(
        ids(reply(&asked, RefPlannerV2)),
        ["step-1", "step-2", "step-4"]
    );
}

#[test]
fn function_calling_ends_with_what_is_missing_when_a_search_found_no_item() {
    for (hits, told) in [
        (json!([]), "no document matches the request"),
        (
            json!([{"document": "start.txt"}, {"document": "seal.txt", "sku": "SKU-7"}]),
            "no item matches the request. The closest document, start.txt, names no item number",
        ),
    ] {
        for engine in [RefPlannerV1, RefPlannerV2] {
            let mut asked = request(REQUEST, offers());
            let found = json!({"hits": hits}).to_string();
            asked.messages.push(Message::result("step-1", found));
            let message = reply(&asked, engine);
            assert!(message.tool_calls.is_empty());
            let text = message.content.unwrap();
            let expected = format!("I cannot tell the price: {told}.");
            assert!(text.starts_with(&expected), "{text}");
        }
    }
}
