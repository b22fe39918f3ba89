//! Tools that need something from the client first and say so in their result (SEP-2322).

#![expect(
    deprecated,
    reason = "sampling and roots are deprecated by SEP-2577 and the suite asks for them"
)]

use super::state::States;
use rmcp::ErrorData;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ContentBlock,
    CreateMessageRequest, CreateMessageRequestParams, ElicitRequest, ElicitRequestParams,
    InputRequest, InputRequests, InputRequiredResult, InputResponses, ListRootsRequest,
    RequestMetaObject, SamplingMessage,
};
use serde_json::{Map, Value, json};

const NAME: &str = "user_name";
const GREETING: &str = "greeting";
const ROOTS: &str = "client_roots";
const CAPITAL: &str = "capital_question";

/// The tools of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InputTool {
    Elicitation,
    Sampling,
    Roots,
    State,
    Several,
    Rounds,
    Capabilities,
    Value,
}

impl InputTool {
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "test_input_required_result_elicitation" => Self::Elicitation,
            "test_input_required_result_sampling" => Self::Sampling,
            "test_input_required_result_list_roots" => Self::Roots,
            "test_input_required_result_request_state"
            | "test_input_required_result_tampered_state" => Self::State,
            "test_input_required_result_multiple_inputs" => Self::Several,
            "test_input_required_result_multi_round" => Self::Rounds,
            "test_input_required_result_capabilities" => Self::Capabilities,
            "test_streaming_elicitation" => Self::Value,
            _ => return None,
        })
    }
}

/// The questions that are open.
#[derive(Debug, Default)]
pub(super) struct Questions {
    states: States,
}

impl Questions {
    /// Answers a call, or asks for what is missing. What a client sends is a question's answer only when it is an
    /// object under the question's key; anything else is asked for again.
    pub(super) fn answer(
        &self,
        tool: InputTool,
        params: &CallToolRequestParams,
        meta: &RequestMetaObject,
    ) -> Result<CallToolResponse, ErrorData> {
        let given = Given(params.input_responses.as_ref());
        let round = self.round(params)?;
        match tool {
            InputTool::Elicitation => match given.text(NAME, "/content/name") {
                Some(name) => Ok(done(&format!("Hello, {name}!"))),
                None => ask_name().map(|question| ask(NAME, question)),
            },
            InputTool::Sampling => Ok(match given.text(CAPITAL, "/content/text") {
                Some(text) => done(&format!("Sampling response: {text}")),
                None => ask(CAPITAL, sample("What is the capital of France?")),
            }),
            InputTool::Roots => Ok(match given.object(ROOTS) {
                Some(roots) => done(&format!("Client roots: {}", json!(roots.get("roots")))),
                None => ask(ROOTS, list_roots()),
            }),
            InputTool::Value => {
                let question = ask_text("Provide a value", "value")?;
                Ok(ask("streaming_elicitation", question))
            }
            InputTool::State => self.confirm(round),
            InputTool::Several => self.several(&given, round),
            InputTool::Rounds => self.rounds(round),
            InputTool::Capabilities => capable(&given, meta),
        }
    }

    /// The round that the state sent back belongs to; a first call has none.
    fn round(&self, params: &CallToolRequestParams) -> Result<Option<u32>, ErrorData> {
        let Some(handle) = &params.request_state else {
            return Ok(None);
        };
        let round = self.states.round(handle);
        let forged =
            || ErrorData::invalid_params("requestState was not given out by this server", None);
        round.map(Some).ok_or_else(forged)
    }

    fn confirm(&self, round: Option<u32>) -> Result<CallToolResponse, ErrorData> {
        if round.is_some() {
            return Ok(done("Confirmed: state-ok"));
        }
        let schema = json!({"type": "object", "required": ["ok"],
            "properties": {"ok": {"type": "boolean"}}});
        let question = elicit("Please confirm", schema)?;
        Ok(self.ask_in_round(1, [("confirm", question)]))
    }

    fn several(
        &self,
        given: &Given<'_>,
        round: Option<u32>,
    ) -> Result<CallToolResponse, ErrorData> {
        let all = [NAME, GREETING, ROOTS]
            .iter()
            .all(|key| given.object(key).is_some());
        if all && round.is_some() {
            return Ok(done("All inputs received"));
        }
        let questions = [
            (NAME, ask_name()?),
            (GREETING, sample("Generate a greeting")),
            (ROOTS, list_roots()),
        ];
        Ok(self.ask_in_round(1, questions))
    }

    fn rounds(&self, round: Option<u32>) -> Result<CallToolResponse, ErrorData> {
        Ok(match round {
            None => self.ask_in_round(
                1,
                [("step1", ask_text("Step 1: What is your name?", "name")?)],
            ),
            Some(1) => {
                let question = ask_text("Step 2: What is your favorite color?", "color")?;
                self.ask_in_round(2, [("step2", question)])
            }
            Some(_) => done("Multi-round flow complete"),
        })
    }

    fn ask_in_round<const N: usize>(
        &self,
        round: u32,
        questions: [(&str, InputRequest); N],
    ) -> CallToolResponse {
        InputRequiredResult::new(Some(requests(questions)), Some(self.states.give(round))).into()
    }
}

/// Asks only for what the client says it can give.
fn capable(given: &Given<'_>, meta: &RequestMetaObject) -> Result<CallToolResponse, ErrorData> {
    if given.0.is_some() {
        return Ok(done("Capability-aware flow complete"));
    }
    let questions = questions_for(&meta.client_capabilities().unwrap_or_default())?;
    if questions.is_empty() {
        return Ok(done("The client can be asked nothing"));
    }
    Ok(InputRequiredResult::from_input_requests(questions).into())
}

fn questions_for(capabilities: &ClientCapabilities) -> Result<InputRequests, ErrorData> {
    let mut questions = InputRequests::new();
    if capabilities.elicitation.is_some() {
        questions.insert(NAME.to_owned(), ask_name()?);
    }
    if capabilities.sampling.is_some() {
        questions.insert(GREETING.to_owned(), sample("Generate a greeting"));
    }
    if capabilities.roots.is_some() {
        questions.insert(ROOTS.to_owned(), list_roots());
    }
    Ok(questions)
}

/// What the client sent with a retry.
struct Given<'a>(Option<&'a InputResponses>);

impl Given<'_> {
    fn object(&self, key: &str) -> Option<&Map<String, Value>> {
        self.0?.get(key)?.as_object()
    }

    /// The text at `pointer` of the response under `key`; empty when the response has none.
    fn text(&self, key: &str, pointer: &str) -> Option<&str> {
        self.object(key)?;
        let text = self.0?.get(key)?.pointer(pointer).and_then(Value::as_str);
        Some(text.unwrap_or_default())
    }
}

fn done(text: &str) -> CallToolResponse {
    CallToolResult::success(vec![ContentBlock::text(text)]).into()
}

fn ask(key: &str, question: InputRequest) -> CallToolResponse {
    InputRequiredResult::from_input_requests(requests([(key, question)])).into()
}

fn requests<const N: usize>(questions: [(&str, InputRequest); N]) -> InputRequests {
    questions
        .map(|(key, question)| (key.to_owned(), question))
        .into()
}

fn ask_name() -> Result<InputRequest, ErrorData> {
    ask_text("What is your name?", "name")
}

fn ask_text(message: &str, member: &str) -> Result<InputRequest, ErrorData> {
    let schema = json!({"type": "object", "required": [member],
        "properties": {member: {"type": "string"}}});
    elicit(message, schema)
}

fn elicit(message: &str, schema: Value) -> Result<InputRequest, ErrorData> {
    form(message, schema).map(|form| InputRequest::Elicitation(ElicitRequest::new(form)))
}

/// A form that the user fills in.
pub(super) fn form(message: &str, schema: Value) -> Result<ElicitRequestParams, ErrorData> {
    Ok(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: message.to_owned(),
        requested_schema: serde_json::from_value(schema)
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))?,
    })
}

fn sample(prompt: &str) -> InputRequest {
    let messages = vec![SamplingMessage::user_text(prompt)];
    InputRequest::CreateMessage(CreateMessageRequest::new(CreateMessageRequestParams::new(
        messages, 100,
    )))
}

fn list_roots() -> InputRequest {
    InputRequest::ListRoots(ListRootsRequest::default())
}
