//! Tools that talk to the client while the call is running.

#![expect(
    deprecated,
    reason = "sampling and logging are deprecated by SEP-2577 and the suite asks for them"
)]

use super::input::form;
use rmcp::ErrorData;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientResult, ContentBlock,
    CreateMessageRequestParams, ElicitRequest, ElicitResult, LoggingLevel,
    LoggingMessageNotificationParam, ProgressNotificationParam, SamplingMessage, ServerRequest,
};
use rmcp::service::{RequestContext, RoleServer, ServiceError, SubscriptionSink};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Pause between two messages, so that they are seen to come one by one.
const PAUSE: Duration = Duration::from_millis(50);
/// Name of the logger in log messages.
const LOGGER: &str = "conformance-fixture";

/// The tools of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LiveTool {
    Logging,
    AskedLogging,
    Progress,
    Sampling,
    Elicitation,
    Defaults,
    Choices,
    Capability,
    ToolsChange,
    PromptsChange,
    Slow,
}

impl LiveTool {
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "test_tool_with_logging" => Self::Logging,
            "test_logging_tool" => Self::AskedLogging,
            "test_tool_with_progress" => Self::Progress,
            "test_sampling" => Self::Sampling,
            "test_elicitation" => Self::Elicitation,
            "test_elicitation_sep1034_defaults" => Self::Defaults,
            "test_elicitation_sep1330_enums" => Self::Choices,
            "test_missing_capability" => Self::Capability,
            "test_trigger_tool_change" => Self::ToolsChange,
            "test_trigger_prompt_change" => Self::PromptsChange,
            "test_reconnection" => Self::Slow,
            _ => return None,
        })
    }
}

type Context = RequestContext<RoleServer>;

pub(super) async fn answer(
    tool: LiveTool,
    params: CallToolRequestParams,
    context: Context,
    listeners: &Listeners,
) -> Result<CallToolResult, ErrorData> {
    let argument = |name: &str| {
        let arguments = params.arguments.as_ref();
        let value = arguments.and_then(|arguments| arguments.get(name));
        value.and_then(Value::as_str).unwrap_or("Hello").to_owned()
    };
    match tool {
        LiveTool::Logging => log_three_times(&context).await,
        LiveTool::AskedLogging => log_if_asked(&context).await,
        LiveTool::Progress => report_progress(&context).await,
        LiveTool::Sampling => sample(&context, argument("prompt")).await,
        LiveTool::Elicitation => elicit(&context, &argument("message"), contact()).await,
        LiveTool::Defaults => elicit(&context, "All values have defaults", with_defaults()).await,
        LiveTool::Choices => elicit(&context, "Choose", choices()).await,
        LiveTool::Capability => need_sampling(&context),
        LiveTool::ToolsChange | LiveTool::PromptsChange => Ok(listeners.tell(tool).await),
        LiveTool::Slow => {
            tokio::time::sleep(PAUSE * 2).await;
            Ok(done("Reconnection test completed"))
        }
    }
}

fn done(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

fn failed(error: &ServiceError) -> CallToolResult {
    let told = format!("the client gave no answer: {error}");
    CallToolResult::error(vec![ContentBlock::text(told)])
}

/// A client that is gone gets nothing, and nothing else follows from that.
async fn log(context: &Context, level: LoggingLevel, text: &str) {
    let message = LoggingMessageNotificationParam::new(level, json!(text)).with_logger(LOGGER);
    if let Err(error) = context.peer.notify_logging_message(message).await {
        tracing::debug!(%error, "a log message did not reach the client");
    }
}

async fn log_three_times(context: &Context) -> Result<CallToolResult, ErrorData> {
    for text in [
        "Tool execution started",
        "Tool processing data",
        "Tool execution completed",
    ] {
        log(context, LoggingLevel::Info, text).await;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(done("Logging test completed"))
}

/// Since revision 2026-07-28 a request says itself whether it wants to be told.
async fn log_if_asked(context: &Context) -> Result<CallToolResult, ErrorData> {
    if let Some(level) = context.meta.log_level() {
        log(context, level, "the request asks for log messages").await;
    }
    Ok(done("Logging tool completed"))
}

async fn report_progress(context: &Context) -> Result<CallToolResult, ErrorData> {
    for (progress, text) in [(0.0, "Starting"), (50.0, "Halfway"), (100.0, "Complete")] {
        if let Some(token) = context.meta.get_progress_token() {
            let progress = ProgressNotificationParam::new(token, progress)
                .with_total(100.0)
                .with_message(text);
            if let Err(error) = context.peer.notify_progress(progress).await {
                tracing::debug!(%error, "progress did not reach the client");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(done("Progress test completed"))
}

async fn sample(context: &Context, prompt: String) -> Result<CallToolResult, ErrorData> {
    let messages = vec![SamplingMessage::user_text(prompt)];
    let asked = CreateMessageRequestParams::new(messages, 100);
    Ok(match context.peer.create_message(asked).await {
        Ok(answer) => {
            let text = answer
                .message
                .content
                .first()
                .and_then(|block| block.as_text());
            let text = text.map(|block| block.text.as_str()).unwrap_or_default();
            done(format!("LLM response: {text}"))
        }
        Err(error) => failed(&error),
    })
}

async fn elicit(
    context: &Context,
    message: &str,
    schema: Value,
) -> Result<CallToolResult, ErrorData> {
    let request = ServerRequest::ElicitRequest(ElicitRequest::new(form(message, schema)?));
    Ok(match context.peer.send_request(request).await {
        Ok(ClientResult::ElicitResult(ElicitResult {
            action, content, ..
        })) => done(format!(
            "User response: action={}, content={}",
            json!(action).as_str().unwrap_or_default(),
            json!(content)
        )),
        Ok(_) => failed(&ServiceError::UnexpectedResponse),
        Err(error) => failed(&error),
    })
}

fn contact() -> Value {
    json!({"type": "object", "required": ["username", "email"], "properties": {
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    }})
}

fn with_defaults() -> Value {
    json!({"type": "object", "properties": {
        "name": {"type": "string", "description": "User name", "default": "John Doe"},
        "age": {"type": "integer", "description": "User age", "default": 30},
        "score": {"type": "number", "description": "User score", "default": 95.5},
        "status": {"type": "string", "description": "User status",
            "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "description": "Verification status", "default": true},
    }})
}

fn choices() -> Value {
    let titled = |titles: [&str; 3]| {
        let values = ["value1", "value2", "value3"];
        let options = values.iter().zip(titles);
        options
            .map(|(value, title)| json!({"const": value, "title": title}))
            .collect::<Vec<_>>()
    };
    let options = ["option1", "option2", "option3"];
    json!({"type": "object", "properties": {
        "untitledSingle": {"type": "string", "enum": options},
        "titledSingle": {"type": "string", "oneOf": titled(["First Option", "Second Option", "Third Option"])},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled(["First Choice", "Second Choice", "Third Choice"])}},
    }})
}

fn need_sampling(context: &Context) -> Result<CallToolResult, ErrorData> {
    let capabilities = context.meta.client_capabilities().unwrap_or_default();
    if capabilities.sampling.is_some() {
        return Ok(done("The client can sample"));
    }
    let needed = ClientCapabilities::builder().enable_sampling().build();
    Err(ErrorData::missing_required_client_capability(needed))
}

/// Who listens for changes (`subscriptions/listen`).
#[derive(Debug, Default)]
pub(super) struct Listeners {
    sinks: Arc<Mutex<Sinks>>,
}

#[derive(Debug, Default)]
struct Sinks {
    next: u64,
    by_number: BTreeMap<u64, Sink>,
}

/// A subscriber's end, which has no `Debug` of its own.
#[derive(Clone)]
struct Sink(SubscriptionSink);

impl std::fmt::Debug for Sink {
    fn fmt(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        text.write_str("Sink")
    }
}

impl Listeners {
    /// Adds a listener until what this returns is dropped.
    pub(super) fn add(&self, sink: SubscriptionSink) -> Listening {
        let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        let number = sinks.next;
        sinks.next += 1;
        sinks.by_number.insert(number, Sink(sink));
        Listening {
            number,
            sinks: Arc::clone(&self.sinks),
        }
    }

    fn all(&self) -> Vec<Sink> {
        let sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.by_number.values().cloned().collect()
    }

    async fn tell(&self, change: LiveTool) -> CallToolResult {
        let mut told = 0;
        for Sink(sink) in self.all() {
            let sent = if change == LiveTool::ToolsChange {
                sink.notify_tool_list_changed().await
            } else {
                sink.notify_prompt_list_changed().await
            };
            told += usize::from(sent.is_ok());
        }
        done(format!("{told} subscribers were told of the change"))
    }
}

/// A listener's place in the list.
pub(super) struct Listening {
    number: u64,
    sinks: Arc<Mutex<Sinks>>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.by_number.remove(&self.number);
    }
}
