//! One call of a plan: its span, its attempts, its result checked, its evidence noted.

use super::event::{AgentEvent, CallOutcome};
use super::evidence::{digest, evidence};
use super::failure::TaskError;
use super::mcp::{Attempt, McpError, ToolResult, Tools};
use super::output::Promise;
use super::task::Task;
use crate::plan::Step;
use crate::telemetry::{ActiveSpan, SpanKind, chain};
use portproof_proto::telemetry as attributes;
use serde_json::{Map, Value};

/// A call that is about to be made.
pub(super) struct Call<'a> {
    /// Its place in the plan.
    pub(super) place: usize,
    pub(super) step: &'a Step,
    pub(super) arguments: Map<String, Value>,
    pub(super) promise: &'a Promise,
    pub(super) may_repeat: bool,
}

/// How a call ended.
struct Ended {
    outcome: CallOutcome,
    attempts: u32,
    /// What is told: the result, or the text of the error.
    told: Value,
    /// Whether `told` is what the tool returned.
    returned: bool,
    /// What is wrong with it, where it is not as promised.
    violations: Option<String>,
}

impl Ended {
    fn returned(result: &ToolResult, attempts: u32, promise: &Promise) -> Self {
        let violations = match result.outcome {
            CallOutcome::Ok => promise.broken_by(result.structured.as_ref()),
            _ => None,
        };
        let outcome = match violations {
            Some(_) => CallOutcome::InvalidResult,
            None => result.outcome,
        };
        Self {
            outcome,
            attempts,
            told: result.value(),
            returned: true,
            violations,
        }
    }

    fn lost(error: &McpError, attempts: u32) -> Self {
        Self {
            outcome: error.outcome(),
            attempts,
            told: Value::String(chain(error)),
            returned: false,
            violations: None,
        }
    }
}

impl Task<'_> {
    /// Makes the call and reports its end; an outcome other than `ok` is an error.
    pub(super) async fn call(
        &self,
        call: Call<'_>,
        tools: &Tools,
        parent: &ActiveSpan,
    ) -> Result<Value, TaskError> {
        let span = self.execute_span(&call, parent);
        let ended = self.attempts(&call, tools, &span).await;
        self.note(&call, &ended, &span).await;
        if !ended.outcome.is_error() {
            return Ok(ended.told);
        }
        span.fail(
            ended.outcome.name(),
            "the call gave no result to go on with",
        );
        Err(TaskError::Call {
            tool: call.step.tool.clone(),
            outcome: ended.outcome,
            message: ended.violations.unwrap_or_else(|| text(&ended.told)),
        })
    }

    /// Tries until there is a result, an error that another attempt would meet again, or no attempt left. What the tool
    /// itself says is never asked for twice.
    async fn attempts(&self, call: &Call<'_>, tools: &Tools, span: &ActiveSpan) -> Ended {
        let mut attempts = self.patience().policy.begin(self.until);
        loop {
            let attempt = Attempt {
                tool: &call.step.tool,
                arguments: &call.arguments,
                number: attempts.number(),
                limit: attempts.limit(),
            };
            // The connection may be what broke, so that a further attempt makes its own.
            let tools = Some(tools).filter(|_| attempt.number == 1);
            let sent = self
                .parts
                .endpoint
                .call(tools, &attempt, &self.parts.telemetry, span);
            match sent.await {
                Ok(result) => return Ended::returned(&result, attempts.number(), call.promise),
                Err(error) => {
                    let attempt = attempts.number();
                    tracing::info!(%error, tool = call.step.tool, attempt, "no result");
                    if !(call.may_repeat && error.is_transient() && attempts.again().await) {
                        return Ended::lost(&error, attempt);
                    }
                }
            }
        }
    }

    /// Writes the end of a call into the ledger, its span and the events.
    async fn note(&self, call: &Call<'_>, ended: &Ended, span: &ActiveSpan) {
        let Step { id, tool, .. } = call.step;
        let result = Some(&ended.told).filter(|_| ended.returned);
        let arguments = Value::Object(call.arguments.clone());
        let end = (ended.outcome, ended.attempts);
        self.ledger
            .call(call.place, evidence((id, tool), &arguments, result, end));
        self.ledger.saw_value(&arguments);
        if let Some(result) = result {
            self.ledger.saw_value(result);
            set_digest(span, attributes::RESULT_DIGEST, result);
        }
        self.tell(AgentEvent::Result {
            call_id: id.clone(),
            tool: tool.clone(),
            outcome: ended.outcome,
            attempts: ended.attempts,
            result: ended.told.clone(),
        })
        .await;
    }

    fn execute_span(&self, call: &Call<'_>, parent: &ActiveSpan) -> ActiveSpan {
        let name = format!("{} {}", attributes::EXECUTE_TOOL, call.step.tool);
        let span = self
            .parts
            .telemetry
            .span(name, SpanKind::Internal, parent.context());
        span.set(attributes::OPERATION, attributes::EXECUTE_TOOL);
        span.set(attributes::TOOL_NAME, call.step.tool.clone());
        span.set(attributes::TOOL_CALL_ID, call.step.id.clone());
        span.set(attributes::TOOL_TYPE, "extension");
        let arguments = Value::Object(call.arguments.clone());
        set_digest(&span, attributes::ARGS_DIGEST, &arguments);
        span
    }
}

/// A text as it is, anything else as JSON.
pub(super) fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn set_digest(span: &ActiveSpan, key: &'static str, value: &Value) {
    if let Some(digest) = digest(value) {
        span.set(key, digest);
    }
}
