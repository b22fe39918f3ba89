//! The suite's prompts, and completion of their arguments.

use super::content::{IMAGE, IMAGE_TYPE};
use super::input::form;
use super::resources;
use rmcp::ErrorData;
use rmcp::model::{
    CompleteRequestParams, CompleteResult, CompletionInfo, ContentBlock, ElicitRequest,
    GetPromptRequestParams, GetPromptResponse, GetPromptResult, InputRequest, InputRequests,
    InputRequiredResult, Prompt, PromptArgument, PromptMessage, ResourceContents, Role,
};
use serde_json::{Value, json};

const WITH_ARGUMENTS: &str = "test_prompt_with_arguments";
/// Prompts without arguments, with what they are.
const PLAIN: [(&str, &str); 4] = [
    ("test_simple_prompt", "A prompt of one text"),
    (
        "test_prompt_with_embedded_resource",
        "A prompt with a resource in it",
    ),
    ("test_prompt_with_image", "A prompt with an image"),
    (
        "test_input_required_result_prompt",
        "A prompt that asks the user first (SEP-2322)",
    ),
];
/// Key of the question that a prompt asks.
const CONTEXT: &str = "user_context";

pub(super) fn all() -> Vec<Prompt> {
    let argument = |name: &str, is: &str| {
        PromptArgument::new(name)
            .with_description(is)
            .with_required(true)
    };
    let arguments = vec![
        argument("arg1", "First argument"),
        argument("arg2", "Second argument"),
    ];
    let plain = PLAIN.map(|(name, is)| Prompt::new(name, Some(is), None));
    plain
        .into_iter()
        .chain([Prompt::new(
            WITH_ARGUMENTS,
            Some("A prompt with two arguments"),
            Some(arguments),
        )])
        .collect()
}

/// The prompt that `params` names.
pub(super) fn get(params: &GetPromptRequestParams) -> Result<GetPromptResponse, ErrorData> {
    let messages = match params.name.as_str() {
        "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
        WITH_ARGUMENTS => vec![text(&format!(
            "Prompt with arguments: arg1='{}', arg2='{}'",
            argument(params, "arg1")?,
            argument(params, "arg2")?
        ))],
        "test_prompt_with_embedded_resource" => {
            vec![resource(params), text("Please process the resource above.")]
        }
        "test_prompt_with_image" => vec![image(), text("Please analyze the image above.")],
        "test_input_required_result_prompt" => match context(params) {
            Some(context) => vec![text(&format!("Prompt with the user's context: {context}"))],
            None => return ask(),
        },
        other => {
            let told = format!("Unknown prompt: {other}");
            return Err(ErrorData::invalid_params(told, None));
        }
    };
    Ok(GetPromptResult::new(messages).into())
}

fn text(text: &str) -> PromptMessage {
    PromptMessage::new_text(Role::User, text)
}

fn image() -> PromptMessage {
    PromptMessage::new(Role::User, ContentBlock::image(IMAGE, IMAGE_TYPE))
}

/// The suite names the resource to embed.
fn resource(params: &GetPromptRequestParams) -> PromptMessage {
    let uri = argument(params, "resourceUri").unwrap_or_else(|_| resources::TEXT.to_owned());
    let contents = ResourceContents::text("Embedded resource content for testing.", uri);
    PromptMessage::new(Role::User, ContentBlock::resource(contents))
}

fn argument(params: &GetPromptRequestParams, name: &str) -> Result<String, ErrorData> {
    let arguments = params.arguments.as_ref();
    let value = arguments
        .and_then(|arguments| arguments.get(name))
        .and_then(Value::as_str);
    let missing = || ErrorData::invalid_params(format!("the argument `{name}` is missing"), None);
    value.map(str::to_owned).ok_or_else(missing)
}

fn context(params: &GetPromptRequestParams) -> Option<String> {
    let response = params.input_responses.as_ref()?.get(CONTEXT)?.as_object()?;
    let content = response.get("content")?.get("context")?.as_str()?;
    Some(content.to_owned())
}

fn ask() -> Result<GetPromptResponse, ErrorData> {
    let schema = json!({"type": "object", "required": ["context"],
        "properties": {"context": {"type": "string"}}});
    let form = form("What context should the prompt use?", schema)?;
    let question = InputRequest::Elicitation(ElicitRequest::new(form));
    let questions = InputRequests::from([(CONTEXT.to_owned(), question)]);
    Ok(InputRequiredResult::from_input_requests(questions).into())
}

/// Values for an argument that begin with what is there.
pub(super) fn complete(params: &CompleteRequestParams) -> Result<CompleteResult, ErrorData> {
    let values = ["paris", "park", "party"]
        .into_iter()
        .filter(|value| value.starts_with(&params.argument.value))
        .map(str::to_owned)
        .collect();
    let info = CompletionInfo::with_all_values(values);
    let info = info.map_err(|error| ErrorData::internal_error(error, None))?;
    Ok(CompleteResult::new(info))
}
