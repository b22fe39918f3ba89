//! One task from prompt to answer.

use super::chat::Reply;
use super::event::AgentEvent;
use super::failure::TaskError;
use super::mcp::{ToolResult, Tools};
use super::service::{AgentParts, TaskRequest};
use super::{AGENT, prompt};
use crate::model::openai::{
    ChatRequest, FunctionOffer, Message, ResponseFormat, Role, ToolCall, ToolOffer,
};
use crate::plan::{self, Plan, Step};
use crate::telemetry::{ActiveSpan, Context, SpanKind};
use portproof_proto::canonical;
use portproof_proto::telemetry as attributes;
use rmcp::model::Tool;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;

/// A task that is being worked on.
pub(super) struct Task<'a> {
    pub(super) parts: &'a AgentParts,
    pub(super) request: &'a TaskRequest,
    pub(super) events: &'a mpsc::Sender<AgentEvent>,
    /// Time for all of it.
    pub(super) limit: Duration,
}

/// A step that was carried out.
struct Done {
    call: ToolCall,
    result: Value,
}

/// Tokens used so far.
#[derive(Default)]
struct Tokens {
    prompt: u32,
    completion: u32,
}

impl Tokens {
    fn add(&mut self, reply: &Reply) {
        self.prompt = self.prompt.saturating_add(reply.prompt_tokens);
        self.completion = self.completion.saturating_add(reply.completion_tokens);
    }
}

impl Task<'_> {
    /// Works on the task and returns its last event.
    pub(super) async fn run(&self, parent: &Context) -> AgentEvent {
        let name = format!("{} {AGENT}", attributes::INVOKE_AGENT);
        let span = self.parts.telemetry.span(name, SpanKind::Internal, parent);
        span.set(attributes::OPERATION, attributes::INVOKE_AGENT);
        span.set(attributes::PROVIDER, "portproof");
        span.set(attributes::AGENT_NAME, AGENT);
        span.set(attributes::TASK_ID, self.request.task_id.clone());
        let done = tokio::time::timeout(self.limit, self.work(&span)).await;
        match done.unwrap_or(Err(TaskError::Deadline {
            seconds: self.limit.as_secs(),
        })) {
            Ok(answer) => answer,
            Err(error) => {
                tracing::info!(
                    task = self.request.task_id,
                    error = error.explain(),
                    "the task failed"
                );
                span.fail(error.part().name(), error.to_string());
                error.event()
            }
        }
    }

    async fn work(&self, span: &ActiveSpan) -> Result<AgentEvent, TaskError> {
        let mut tokens = Tokens::default();
        let tools = self.connect().await?;
        let offered = tools.list().await.map_err(TaskError::Mcp)?;
        self.tell(tools_event(&tools, &offered)).await;
        let plan = self.plan(&offered, &mut tokens, span).await?;
        self.tell(plan_event(&plan)).await;
        let done = self.carry_out(&plan, &tools, span).await?;
        self.answer(&done, tokens, span).await
    }

    async fn connect(&self) -> Result<Tools, TaskError> {
        let client = self.parts.gateway_client.clone();
        Tools::connect(client, &self.parts.gateway_url)
            .await
            .map_err(TaskError::Mcp)
    }

    /// A reader that left is noticed where the events are read.
    async fn tell(&self, event: AgentEvent) {
        let _ = self.events.send(event).await;
    }

    async fn plan(
        &self,
        offered: &[Tool],
        tokens: &mut Tokens,
        parent: &ActiveSpan,
    ) -> Result<Plan, TaskError> {
        let name = format!("{} {AGENT}", attributes::PLAN);
        let span = self
            .parts
            .telemetry
            .span(name, SpanKind::Internal, parent.context());
        span.set(attributes::OPERATION, attributes::PLAN);
        span.set(attributes::AGENT_NAME, AGENT);
        let plan = self.ask_for_plan(offered, tokens, &span).await;
        match &plan {
            Ok(plan) => span.set(
                attributes::PLAN_STEPS,
                i64::try_from(plan.steps.len()).unwrap_or(i64::MAX),
            ),
            Err(error) => span.fail(error.part().name(), error.to_string()),
        }
        plan
    }

    async fn ask_for_plan(
        &self,
        offered: &[Tool],
        tokens: &mut Tokens,
        span: &ActiveSpan,
    ) -> Result<Plan, TaskError> {
        let request = ChatRequest {
            messages: self.conversation(prompt::PLAN),
            tools: offered.iter().map(offer).collect(),
            response_format: Some(ResponseFormat {
                r#type: "json_object".into(),
            }),
            ..ChatRequest::default()
        };
        let reply = self
            .parts
            .chat
            .ask(request, &self.parts.telemetry, span)
            .await
            .map_err(TaskError::Chat)?;
        tokens.add(&reply);
        let text = reply.choice.message.content.ok_or(TaskError::NoAnswer)?;
        let plan = Plan::parse(&text).map_err(TaskError::Plan)?;
        let names = offered.iter().map(|tool| tool.name.to_string()).collect();
        plan.check(&names).map_err(TaskError::Plan)?;
        Ok(plan)
    }

    fn conversation(&self, system: &str) -> Vec<Message> {
        vec![
            Message::text(Role::System, system),
            Message::text(Role::User, self.request.prompt.clone()),
        ]
    }

    async fn carry_out(
        &self,
        plan: &Plan,
        tools: &Tools,
        span: &ActiveSpan,
    ) -> Result<Vec<Done>, TaskError> {
        let mut results = BTreeMap::new();
        let mut done = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            let arguments = plan::resolve(&step.arguments, &results).map_err(|source| {
                TaskError::Arguments {
                    tool: step.tool.clone(),
                    source,
                }
            })?;
            let call = ToolCall::new(&step.id, &step.tool, &Value::Object(arguments.clone()));
            let result = self.execute(step, arguments, tools, span).await?;
            results.insert(step.id.clone(), result.clone());
            done.push(Done { call, result });
        }
        Ok(done)
    }

    /// Carries one step out, with its events and its span.
    async fn execute(
        &self,
        step: &Step,
        arguments: Map<String, Value>,
        tools: &Tools,
        parent: &ActiveSpan,
    ) -> Result<Value, TaskError> {
        let Step { id, tool, .. } = step;
        let span = self.execute_span(step, &arguments, parent);
        let shown = Value::Object(arguments.clone());
        self.tell(AgentEvent::Call {
            call_id: id.clone(),
            tool: tool.clone(),
            arguments: shown,
        })
        .await;
        let called = tools
            .call(tool, arguments, &self.parts.telemetry, &span)
            .await;
        let ToolResult { value, is_error } = called.map_err(|error| {
            span.fail("mcp", error.to_string());
            TaskError::Mcp(error)
        })?;
        set_digest(&span, attributes::RESULT_DIGEST, &value);
        let result = value.clone();
        self.tell(AgentEvent::Result {
            call_id: id.clone(),
            tool: tool.clone(),
            is_error,
            result,
        })
        .await;
        if is_error {
            span.fail("tool_error", "the tool reports a failure");
            return Err(TaskError::Tool {
                tool: tool.clone(),
                message: text(&value),
            });
        }
        Ok(value)
    }

    fn execute_span(
        &self,
        step: &Step,
        arguments: &Map<String, Value>,
        parent: &ActiveSpan,
    ) -> ActiveSpan {
        let name = format!("{} {}", attributes::EXECUTE_TOOL, step.tool);
        let span = self
            .parts
            .telemetry
            .span(name, SpanKind::Internal, parent.context());
        span.set(attributes::OPERATION, attributes::EXECUTE_TOOL);
        span.set(attributes::TOOL_NAME, step.tool.clone());
        span.set(attributes::TOOL_CALL_ID, step.id.clone());
        span.set(attributes::TOOL_TYPE, "extension");
        set_digest(
            &span,
            attributes::ARGS_DIGEST,
            &Value::Object(arguments.clone()),
        );
        span
    }

    async fn answer(
        &self,
        done: &[Done],
        mut tokens: Tokens,
        span: &ActiveSpan,
    ) -> Result<AgentEvent, TaskError> {
        let mut messages = self.conversation(prompt::ANSWER);
        for Done { call, result } in done {
            messages.push(Message::calls(vec![call.clone()]));
            messages.push(Message::result(&call.id, text(result)));
        }
        let request = ChatRequest {
            messages,
            ..ChatRequest::default()
        };
        let reply = self
            .parts
            .chat
            .ask(request, &self.parts.telemetry, span)
            .await
            .map_err(TaskError::Chat)?;
        tokens.add(&reply);
        let text = reply
            .choice
            .message
            .content
            .filter(|text| !text.trim().is_empty())
            .ok_or(TaskError::NoAnswer)?;
        let Tokens {
            prompt: prompt_tokens,
            completion: completion_tokens,
        } = tokens;
        Ok(AgentEvent::Answer {
            text,
            prompt_tokens,
            completion_tokens,
            model_backend: reply.backend,
        })
    }
}

fn tools_event(tools: &Tools, offered: &[Tool]) -> AgentEvent {
    let names = offered.iter().map(|tool| tool.name.to_string()).collect();
    AgentEvent::Tools {
        names,
        protocol_version: tools.protocol_version().to_owned(),
    }
}

fn plan_event(plan: &Plan) -> AgentEvent {
    AgentEvent::Plan {
        steps: plan.steps.iter().map(|step| step.tool.clone()).collect(),
    }
}

/// The tool as OpenAI's API offers tools, the schema of its result in the description.
fn offer(tool: &Tool) -> ToolOffer {
    let result = tool
        .output_schema
        .as_deref()
        .map(|schema| Value::Object(schema.clone()));
    let function = FunctionOffer {
        name: tool.name.to_string(),
        description: plan::describe(
            tool.description.as_deref().unwrap_or_default(),
            result.as_ref(),
        ),
        parameters: Value::Object(tool.input_schema.as_ref().clone()),
    };
    ToolOffer {
        r#type: "function".into(),
        function,
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn set_digest(span: &ActiveSpan, key: &'static str, value: &Value) {
    if let Ok(digest) = canonical::digest(value) {
        span.set(key, digest.to_string());
    }
}
