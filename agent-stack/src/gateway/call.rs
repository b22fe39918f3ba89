//! One tool call: arguments checked, backend called, result checked, span written.

use super::backend::{Answer, BackendError, Backends, ToolFailure};
use super::registry::Registry;
use super::router::GatewayParts;
use super::tool::ServedTool;
use crate::telemetry::{ActiveSpan, Context, SpanKind, Telemetry, chain, parse_traceparent};
use portproof_proto::canonical;
use portproof_proto::telemetry as attributes;
use rmcp::ErrorData;
use rmcp::model::{CallToolResult, ContentBlock, MetaObject, Tool as Descriptor};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// Class of a call that the tool itself reports as failed.
const TOOL_ERROR: &str = "tool_error";
/// Class of a call whose time was over before the tool had an answer.
const TIMEOUT: &str = "timeout";

/// One `tools/call`.
#[derive(Clone, Debug)]
pub(super) struct CallRequest {
    pub(super) tool: String,
    pub(super) arguments: Value,
    /// Id of the JSON-RPC request.
    pub(super) id: String,
    pub(super) protocol_version: Option<String>,
    /// From `_meta`, where MCP carries it; the HTTP header would name the transport's span (SEP-414).
    pub(super) traceparent: Option<String>,
}

/// Why a tool gave no result; the caller gets it as a result with `isError`.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("the arguments do not conform to the tool's input schema: {violations}")]
    Arguments { violations: String },
    #[error("the result does not conform to the tool's output schema: {violations}")]
    Result { violations: String },
    #[error("the tool took longer than {seconds} s")]
    Timeout { seconds: u32 },
    #[error("the tool's backend failed")]
    Backend(#[source] BackendError),
    #[error("the caller left before the tool had answered")]
    Cancelled,
}

impl CallError {
    const fn error_type(&self) -> &'static str {
        match self {
            Self::Arguments { .. } => "invalid_arguments",
            Self::Result { .. } => "invalid_result",
            Self::Timeout { .. } => TIMEOUT,
            Self::Backend(_) => "backend",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Serves calls.
pub(super) struct Calls {
    registry: Arc<Registry>,
    backends: Backends,
    telemetry: Telemetry,
    hidden: BTreeSet<String>,
    drop_trace_context: bool,
}

impl Calls {
    pub(super) fn new(parts: GatewayParts) -> Self {
        let GatewayParts {
            registry,
            backends,
            telemetry,
            allowed_hosts: _,
            hidden,
            drop_trace_context,
        } = parts;
        Self {
            registry,
            backends,
            telemetry,
            hidden,
            drop_trace_context,
        }
    }

    /// What `tools/list` says, by name.
    pub(super) fn descriptors(&self) -> Vec<Descriptor> {
        let served = self.registry.served();
        let seen = served
            .iter()
            .filter(|(name, _)| !self.hidden.contains(*name));
        seen.map(|(_, tool)| tool.descriptor.clone()).collect()
    }

    /// The tool that clients call by `name`.
    pub(super) fn tool(&self, name: &str) -> Option<Arc<ServedTool>> {
        if self.hidden.contains(name) {
            return None;
        }
        self.registry.served().get(name).map(Arc::clone)
    }

    /// Serves one call, or gives it up when `left` says that its caller has: what works for it then ends too. An unknown
    /// tool is an error of the protocol, a failing tool a result that says so.
    pub(super) async fn call(
        &self,
        request: CallRequest,
        left: &CancellationToken,
    ) -> Result<CallToolResult, ErrorData> {
        let span = self.span(&request);
        let Some(tool) = self.tool(&request.tool) else {
            span.fail("-32602", "unknown tool");
            return Err(ErrorData::invalid_params(
                format!("Unknown tool: {}", request.tool),
                None,
            ));
        };
        let began = Instant::now();
        let outcome = tokio::select! {
            answered = self.answer(&tool, &request.arguments, &span) => answered,
            () = left.cancelled() => Err(CallError::Cancelled),
        };
        self.telemetry
            .metrics()
            .tool_called(&request.tool, error_type(&outcome), began.elapsed());
        Ok(finish(&span, outcome))
    }

    fn span(&self, request: &CallRequest) -> ActiveSpan {
        let parent = match &request.traceparent {
            Some(traceparent) if !self.drop_trace_context => parse_traceparent(traceparent),
            _ => Context::new(),
        };
        let name = format!("{} {}", attributes::TOOLS_CALL, request.tool);
        let span = self.telemetry.span(name, SpanKind::Server, &parent);
        span.set(attributes::MCP_METHOD, attributes::TOOLS_CALL);
        span.set(attributes::OPERATION, attributes::EXECUTE_TOOL);
        span.set(attributes::TOOL_NAME, request.tool.clone());
        span.set(attributes::JSONRPC_ID, request.id.clone());
        if let Some(version) = &request.protocol_version {
            span.set(attributes::MCP_VERSION, version.clone());
        }
        set_digest(&span, attributes::ARGS_DIGEST, &request.arguments);
        span
    }

    async fn answer(
        &self,
        tool: &ServedTool,
        arguments: &Value,
        span: &ActiveSpan,
    ) -> Result<Answer, CallError> {
        if let Some(violations) = tool.input.violations(arguments) {
            return Err(CallError::Arguments { violations });
        }
        let seconds = tool.spec.timeout_seconds;
        let limit = Backends::patience(&tool.spec);
        let called = self
            .backends
            .call(&tool.spec, arguments, span, &self.telemetry);
        let called = tokio::time::timeout(limit, called)
            .await
            .map_err(|_| CallError::Timeout { seconds })?;
        let answer = called.map_err(CallError::Backend)?;
        match tool
            .output
            .as_ref()
            .and_then(|output| output.violations(&answer.value))
        {
            Some(violations) => Err(CallError::Result { violations }),
            None => Ok(answer),
        }
    }
}

impl ToolFailure {
    const fn error_type(self) -> &'static str {
        match self {
            Self::Late => TIMEOUT,
            Self::Reported => TOOL_ERROR,
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Late => "the tool was ended when its time was over",
            Self::Reported => "the tool reports a failure",
        }
    }
}

/// The class of a failed call.
fn error_type(outcome: &Result<Answer, CallError>) -> Option<&'static str> {
    match outcome {
        Ok(answer) => answer.failure.map(ToolFailure::error_type),
        Err(error) => Some(error.error_type()),
    }
}

/// Writes the end of the call into its span and its result.
fn finish(span: &ActiveSpan, outcome: Result<Answer, CallError>) -> CallToolResult {
    match outcome {
        Ok(Answer { value, failure }) => {
            set_digest(span, attributes::RESULT_DIGEST, &value);
            match failure {
                None => CallToolResult::structured(value),
                Some(failure) => {
                    let class = failure.error_type();
                    span.fail(class, failure.sentence());
                    let result = CallToolResult::structured_error(value);
                    result.with_meta(Some(error_class(class)))
                }
            }
        }
        Err(error) => {
            span.fail(error.error_type(), error.to_string());
            // The whole chain, for the model that reads it.
            let mut result = CallToolResult::error(vec![ContentBlock::text(chain(&error))]);
            result.meta = Some(error_class(error.error_type()));
            result
        }
    }
}

/// Tells the class of a failure where a caller needs no text for it.
fn error_class(class: &str) -> MetaObject {
    let mut meta = MetaObject::new();
    meta.0
        .insert(attributes::ERROR_META.to_owned(), class.into());
    meta
}

/// A value without a canonical form has no digest; the call itself is none the worse for it.
fn set_digest(span: &ActiveSpan, key: &'static str, value: &Value) {
    if let Ok(digest) = canonical::digest(value) {
        span.set(key, digest.to_string());
    }
}
