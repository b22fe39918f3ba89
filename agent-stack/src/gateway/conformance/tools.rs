//! What `tools/list` says of the suite's tools.

use rmcp::model::{JsonObject, Tool};
use serde_json::{Value, json};
use std::sync::Arc;

/// Tools without arguments, with what they do.
const PLAIN: [(&str, &str); 24] = [
    ("test_simple_text", "Returns text"),
    ("test_image_content", "Returns an image"),
    ("test_audio_content", "Returns audio"),
    ("test_embedded_resource", "Returns an embedded resource"),
    (
        "test_multiple_content_types",
        "Returns text, an image and a resource",
    ),
    ("test_error_handling", "Reports a failure"),
    (
        "test_tool_with_logging",
        "Sends log messages during the call",
    ),
    ("test_tool_with_progress", "Sends progress during the call"),
    (
        "test_logging_tool",
        "Sends a log message if the request asks for a level",
    ),
    (
        "test_elicitation_sep1034_defaults",
        "Asks the user, with default values (SEP-1034)",
    ),
    (
        "test_elicitation_sep1330_enums",
        "Asks the user to choose (SEP-1330)",
    ),
    ("test_missing_capability", "Needs a client that can sample"),
    (
        "test_streaming_elicitation",
        "Asks the user for a value (SEP-2322)",
    ),
    (
        "test_trigger_tool_change",
        "Tells subscribers that the tools changed",
    ),
    (
        "test_trigger_prompt_change",
        "Tells subscribers that the prompts changed",
    ),
    (
        "test_input_required_result_elicitation",
        "Asks the user for a name (SEP-2322)",
    ),
    (
        "test_input_required_result_sampling",
        "Asks the client's model (SEP-2322)",
    ),
    (
        "test_input_required_result_list_roots",
        "Asks for the client's roots (SEP-2322)",
    ),
    (
        "test_input_required_result_request_state",
        "Asks, and wants its state back (SEP-2322)",
    ),
    (
        "test_input_required_result_multiple_inputs",
        "Asks for three things at once (SEP-2322)",
    ),
    (
        "test_input_required_result_multi_round",
        "Asks in two rounds (SEP-2322)",
    ),
    (
        "test_input_required_result_tampered_state",
        "Refuses a state it did not give out (SEP-2322)",
    ),
    (
        "test_input_required_result_capabilities",
        "Asks for what the client can give (SEP-2322)",
    ),
    ("test_reconnection", "Answers after a moment"),
];

/// Every tool.
pub(super) fn all() -> Vec<Tool> {
    let plain =
        PLAIN.map(|(name, does)| tool(name, does, json!({"type": "object", "properties": {}})));
    plain.into_iter().chain(with_arguments()).collect()
}

/// The tool of that name.
pub(super) fn find(name: &str) -> Option<Tool> {
    all().into_iter().find(|tool| tool.name == name)
}

fn with_arguments() -> [Tool; 4] {
    let one_text = |name: &str, does: &str| {
        json!({"type": "object", "required": [name],
            "properties": {name: {"type": "string", "description": does}}})
    };
    [
        tool(
            "test_sampling",
            "Asks the client's model during the call",
            one_text("prompt", "What to ask"),
        ),
        tool(
            "test_elicitation",
            "Asks the user during the call",
            one_text("message", "What to ask"),
        ),
        tool(
            "test_custom_header",
            "Has an argument that is mirrored into a header (SEP-2243)",
            json!({
            "type": "object", "required": ["value"],
            "properties": {"value": {"type": "string", "x-mcp-header": "Value"}}}),
        ),
        tool(
            "json_schema_2020_12_tool",
            "Has a schema that needs JSON Schema 2020-12 (SEP-1613)",
            draft_2020_12(),
        ),
    ]
}

fn draft_2020_12() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {
            "$anchor": "address",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }},
        "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}},
        "allOf": [{"anyOf": [{"required": ["name"]}, {"required": ["address"]}]}],
        "if": {"required": ["address"]},
        "then": {"properties": {"address": {"required": ["street"]}}},
        "else": {"required": ["name"]},
        "additionalProperties": false,
    })
}

fn tool(name: &'static str, does: &'static str, schema: Value) -> Tool {
    let schema: JsonObject = match schema {
        Value::Object(members) => members,
        _ => JsonObject::new(),
    };
    Tool::new(name, does, Arc::new(schema))
}
