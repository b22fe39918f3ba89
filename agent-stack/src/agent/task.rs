//! One task from prompt to answer.

use super::call::text;
use super::chat::{Patience, Reply};
use super::event::{AgentEvent, PlannedStep};
use super::evidence::Ledger;
use super::failure::TaskError;
use super::mcp::{McpError, Tools};
use super::service::AgentParts;
use super::steps::Done;
use super::{AGENT, TaskRequest, prompt, words};
use crate::model::openai::{
    ChatRequest, FunctionOffer, Message, ResponseFormat, Role, ToolChoice, ToolOffer,
};
use crate::plan::{self, Plan, Step};
use crate::telemetry::{ActiveSpan, Context, SpanKind, chain};
use portproof_proto::telemetry as attributes;
use rmcp::model::Tool;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How long after its deadline a task may take to tell that it is over.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A task that is being worked on.
pub(super) struct Task<'a> {
    pub(super) parts: &'a AgentParts,
    request: &'a TaskRequest,
    events: &'a mpsc::Sender<AgentEvent>,
    pub(super) ledger: Ledger,
    limit: Duration,
    /// When everything must be over.
    pub(super) until: Instant,
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

impl<'a> Task<'a> {
    pub(super) fn new(
        parts: &'a AgentParts,
        request: &'a TaskRequest,
        events: &'a mpsc::Sender<AgentEvent>,
    ) -> Self {
        let limit = Duration::from_secs(request.deadline_seconds.into());
        let ledger = Ledger::default();
        ledger.saw(&request.prompt);
        Self {
            parts,
            request,
            events,
            ledger,
            limit,
            until: Instant::now() + limit,
        }
    }

    /// Works on the task and returns its last event. A caller that leaves ends it.
    pub(super) async fn run(&self, parent: &Context) -> AgentEvent {
        let span = self.root_span(parent);
        let done = tokio::select! {
            done = self.within_the_deadline(&span) => done,
            () = self.events.closed() => Err(TaskError::Abandoned),
        };
        done.unwrap_or_else(|error| {
            let task = &self.request.task_id;
            tracing::info!(task, error = chain(&error), "the task failed");
            span.fail(error.part().name(), error.to_string());
            error.event(&self.ledger)
        })
    }

    fn root_span(&self, parent: &Context) -> ActiveSpan {
        let name = format!("{} {AGENT}", attributes::INVOKE_AGENT);
        let span = self.parts.telemetry.span(name, SpanKind::Internal, parent);
        span.set(attributes::OPERATION, attributes::INVOKE_AGENT);
        span.set(attributes::PROVIDER, "portproof");
        span.set(attributes::AGENT_NAME, AGENT);
        span.set(attributes::TASK_ID, self.request.task_id.clone());
        span
    }

    /// Every request has no more time than the task, so that at the deadline each ends by itself and tells so; what
    /// hangs elsewhere is cut off a little later.
    async fn within_the_deadline(&self, span: &ActiveSpan) -> Result<AgentEvent, TaskError> {
        let cut = self.until + LAST_WORDS;
        let done = tokio::time::timeout_at(cut, self.work(span)).await;
        match done {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if Instant::now() < self.until => Err(error),
            Ok(Err(_)) | Err(_) => Err(TaskError::Deadline {
                seconds: self.limit.as_secs(),
            }),
        }
    }

    async fn work(&self, span: &ActiveSpan) -> Result<AgentEvent, TaskError> {
        let mut tokens = Tokens::default();
        let (tools, offered) = self.discover().await?;
        self.tell(tools_event(&tools, &offered)).await;
        let plan = self.plan(&offered, &mut tokens, span).await?;
        self.tell(plan_event(&plan)).await;
        let done = self.carry_out(&plan, &offered, &tools, span).await?;
        self.answer(&done, tokens, span).await
    }

    /// Connects and lists the tools, again where that may help.
    async fn discover(&self) -> Result<(Tools, Vec<Tool>), TaskError> {
        let mut attempts = self.parts.policy.begin(self.until);
        loop {
            match self.parts.endpoint.discover(attempts.limit()).await {
                Ok(found) => {
                    self.ledger.retried(attempts.number());
                    return Ok(found);
                }
                Err(error) => {
                    let attempt = attempts.number();
                    tracing::info!(%error, attempt, "the tools cannot be listed");
                    if !(McpError::is_transient(&error) && attempts.again().await) {
                        self.ledger.retried(attempt);
                        return Err(TaskError::Mcp(error));
                    }
                }
            }
        }
    }

    /// A reader that left is noticed where the events are read.
    pub(super) async fn tell(&self, event: AgentEvent) {
        let _ = self.events.send(event).await;
    }

    pub(super) const fn patience(&self) -> Patience {
        Patience {
            policy: self.parts.policy,
            until: self.until,
        }
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
        let tools: Vec<_> = offered.iter().map(offer).collect();
        let request = ChatRequest {
            messages: self.conversation(&prompt::plan(&tools)),
            tools,
            tool_choice: Some(ToolChoice::None),
            response_format: Some(ResponseFormat {
                r#type: "json_object".into(),
            }),
            ..ChatRequest::default()
        };
        let reply = self.ask(request, tokens, span).await?;
        let text = said(reply.choice.message)?;
        let plan = Plan::parse(&text).map_err(TaskError::Plan)?;
        let names = offered.iter().map(|tool| tool.name.to_string()).collect();
        plan.check(&names).map_err(TaskError::Plan)?;
        Ok(plan)
    }

    async fn ask(
        &self,
        request: ChatRequest,
        tokens: &mut Tokens,
        span: &ActiveSpan,
    ) -> Result<Reply, TaskError> {
        let chat = &self.parts.chat;
        let asked = chat.ask(request, self.patience(), &self.parts.telemetry, span);
        let reply = asked.await.map_err(TaskError::Chat)?;
        self.ledger.retried(reply.attempts);
        tokens.add(&reply);
        Ok(reply)
    }

    fn conversation(&self, system: &str) -> Vec<Message> {
        vec![
            Message::text(Role::System, system),
            Message::text(Role::User, self.request.prompt.clone()),
        ]
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
        let reply = self.ask(request, &mut tokens, span).await?;
        let text = said(reply.choice.message)?;
        Ok(AgentEvent::Answer {
            unsupported_numbers: self.ledger.unsupported(&text),
            text,
            prompt_tokens: tokens.prompt,
            completion_tokens: tokens.completion,
            model_backend: reply.backend,
            evidence: self.ledger.evidence(),
            retries: self.ledger.retries(),
        })
    }
}

/// The text of a message. A model that refuses says why in a member of its own.
fn said(message: Message) -> Result<String, TaskError> {
    if let Some(words) = message.refusal.as_deref().and_then(words::quoted) {
        return Err(TaskError::Refused { words });
    }
    let text = message.content.filter(|text| !text.trim().is_empty());
    text.ok_or(TaskError::NoAnswer)
}

fn tools_event(tools: &Tools, offered: &[Tool]) -> AgentEvent {
    let names = offered.iter().map(|tool| tool.name.to_string()).collect();
    AgentEvent::Tools {
        names,
        protocol_version: tools.protocol_version().to_owned(),
    }
}

fn plan_event(plan: &Plan) -> AgentEvent {
    let planned = |step: &Step| PlannedStep {
        call_id: step.id.clone(),
        tool: step.tool.clone(),
        waits_for: step.waits_for().into_iter().map(str::to_owned).collect(),
    };
    AgentEvent::Plan {
        steps: plan.steps.iter().map(planned).collect(),
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
