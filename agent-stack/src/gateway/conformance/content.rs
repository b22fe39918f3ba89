//! Tools that answer at once, one for each kind of content.

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ContentBlock, JsonObject, ResourceContents,
};
use serde_json::Value;

/// A PNG of one red pixel.
pub(super) const IMAGE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==";
pub(super) const IMAGE_TYPE: &str = "image/png";
/// A WAV file without a sample.
const AUDIO: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";

/// The result of the tool that `params` names, if it is one of these.
pub(super) fn answer(params: &CallToolRequestParams) -> Option<CallToolResult> {
    let arguments = params.arguments.as_ref();
    let content = match params.name.as_ref() {
        "test_simple_text" => text("This is a simple text response for testing."),
        "test_image_content" => image(),
        "test_audio_content" => ContentBlock::audio(AUDIO, "audio/wav"),
        "test_embedded_resource" => embedded(
            "test://embedded-resource",
            "text/plain",
            "This is an embedded resource content.",
        ),
        "test_multiple_content_types" => return Some(CallToolResult::success(mixed())),
        "test_error_handling" => {
            let told = text("This tool intentionally returns an error for testing");
            return Some(CallToolResult::error(vec![told]));
        }
        "json_schema_2020_12_tool" => text(&argument(arguments, "name").unwrap_or_default()),
        "test_custom_header" => match argument(arguments, "value") {
            Some(value) => text(&value),
            None => {
                return Some(CallToolResult::error(vec![text(
                    "`value` must be a string",
                )]));
            }
        },
        _ => return None,
    };
    Some(CallToolResult::success(vec![content]))
}

fn mixed() -> Vec<ContentBlock> {
    vec![
        text("Multiple content types test:"),
        image(),
        embedded(
            "test://mixed-content-resource",
            "application/json",
            r#"{"test":"data","value":123}"#,
        ),
    ]
}

fn text(text: &str) -> ContentBlock {
    ContentBlock::text(text)
}

fn image() -> ContentBlock {
    ContentBlock::image(IMAGE, IMAGE_TYPE)
}

fn embedded(uri: &str, mime_type: &str, text: &str) -> ContentBlock {
    ContentBlock::resource(ResourceContents::text(text, uri).with_mime_type(mime_type))
}

fn argument(arguments: Option<&JsonObject>, name: &str) -> Option<String> {
    let value = arguments?.get(name).and_then(Value::as_str);
    value.map(str::to_owned)
}
