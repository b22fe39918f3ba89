//! A complete trace of a task with two tool calls, for tests to break.

use crate::verify::evidence::{
    CallEvidence, CallOutcome, Span, SpanKind, TaskTranscript, ToolCall, TraceEvidence,
};
use portproof_proto::{canonical, telemetry};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) const CLUSTER: &str = "5f0e3c1a-cluster";
pub(crate) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
pub(crate) const ROOT: &str = "b7ad6b7169203331";

pub(crate) fn transcript() -> TaskTranscript {
    let mut transcript = calls();
    transcript.proof = transcript.calls.iter().map(proof).collect();
    transcript
}

/// What an honest agent says its answer rests on.
fn proof(call: &ToolCall) -> CallEvidence {
    let digest = |value: &Value| canonical::digest(value).unwrap().to_string();
    CallEvidence {
        call_id: call.call_id.clone(),
        arguments_sha256: digest(&call.arguments),
        result_sha256: digest(call.result.as_ref().unwrap()),
    }
}

fn calls() -> TaskTranscript {
    TaskTranscript {
        task_id: "seal-price".into(),
        trace_id: TRACE.into(),
        root_span_id: ROOT.into(),
        calls: vec![
            call(
                "call-1",
                "lookup_price",
                json!({"sku": "SEAL-100"}),
                json!({"unitPrice": 12.5}),
            ),
            call(
                "call-2",
                "run_python",
                json!({"code": "print(1)"}),
                json!({"stdout": "1\n"}),
            ),
        ],
        answer: Some("34.50 EUR".into()),
        ..TaskTranscript::default()
    }
}

fn call(id: &str, tool: &str, arguments: Value, result: Value) -> ToolCall {
    ToolCall {
        call_id: id.into(),
        tool: tool.into(),
        arguments,
        result: Some(result),
        is_error: false,
        outcome: Some(CallOutcome::Ok),
        attempts: 1,
    }
}

/// The trace in which the first call needed two attempts, of which the first never reached the gateway.
pub(crate) fn retried() -> (TaskTranscript, TraceEvidence) {
    let (mut transcript, mut trace) = (transcript(), trace());
    transcript.calls[0].attempts = 2;
    let first = |span: &&Span| span.span_id == "client-0";
    let mut lost = trace.spans.iter().find(first).unwrap().clone();
    lost.span_id = "client-0-lost".into();
    lost.start_ns -= 5_000_000;
    lost.end_ns = lost.start_ns + 1_000_000;
    lost.is_error = true;
    set(&mut lost, telemetry::ERROR_TYPE, json!("transport"));
    lost.attributes.remove(telemetry::JSONRPC_ID);
    for span in &mut trace.spans {
        if span.span_id == "client-0" {
            set(span, telemetry::ATTEMPT, json!(2));
        }
    }
    trace.spans.push(lost);
    (transcript, trace)
}

/// The same trace, with both calls side by side.
pub(crate) fn side_by_side() -> TraceEvidence {
    let mut trace = trace();
    let second = ["execute-1", "client-1", "server-1", "code-client", "code"];
    for span in &mut trace.spans {
        if second.contains(&span.span_id.as_str()) {
            span.start_ns -= 300_000_000;
            span.end_ns -= 300_000_000;
        }
    }
    trace
}

pub(crate) fn trace() -> TraceEvidence {
    let mut spans = agent_spans();
    for (index, call) in transcript().calls.iter().enumerate() {
        spans.extend(call_spans(call, index));
    }
    spans.extend(code_spans());
    let heard = ["agent", "model-stable", "tool-gateway", "interpreter"];
    TraceEvidence {
        spans,
        heard: heard.map(str::to_owned).into(),
        ..TraceEvidence::default()
    }
}

fn agent_spans() -> Vec<Span> {
    use SpanKind::{Client, Internal, Server};
    let mut spans = vec![
        span(
            "agent",
            ROOT,
            "invoke_agent reference",
            Internal,
            (0, 100),
            "agent",
        ),
        span(
            "plan",
            "agent",
            "plan reference",
            Internal,
            (1, 20),
            "agent",
        ),
        span("chat1", "plan", "chat reference", Client, (2, 19), "agent"),
        span(
            "model",
            "chat1",
            "POST /v1/chat",
            Server,
            (3, 18),
            "model-stable",
        ),
        span(
            "chat2",
            "agent",
            "chat reference",
            Client,
            (90, 98),
            "agent",
        ),
    ];
    operation(&mut spans[0], telemetry::INVOKE_AGENT);
    operation(&mut spans[1], telemetry::PLAN);
    operation(&mut spans[2], telemetry::CHAT);
    operation(&mut spans[4], telemetry::CHAT);
    spans
}

fn code_spans() -> [Span; 2] {
    let (client, server) = (SpanKind::Client, SpanKind::Server);
    [
        span(
            "code-client",
            "server-1",
            "POST /v1/execute",
            client,
            (65, 82),
            "tool-gateway",
        ),
        span(
            "code",
            "code-client",
            "run_code python",
            server,
            (66, 81),
            "interpreter",
        ),
    ]
}

fn call_spans(call: &ToolCall, index: usize) -> [Span; 3] {
    let at = 30 + 30 * index as u64;
    let name = format!("tools/call {}", call.tool);
    let execute = format!("execute_tool {}", call.tool);
    let (execute_id, client_id) = (format!("execute-{index}"), format!("client-{index}"));
    let mut spans = [
        span(
            &execute_id,
            "agent",
            &execute,
            SpanKind::Internal,
            (at, at + 25),
            "agent",
        ),
        span(
            &client_id,
            &execute_id,
            &name,
            SpanKind::Client,
            (at + 1, at + 24),
            "agent",
        ),
        span(
            &format!("server-{index}"),
            &client_id,
            &name,
            SpanKind::Server,
            (at + 2, at + 23),
            "tool-gateway",
        ),
    ];
    let digest = |value: &Value| json!(canonical::digest(value).unwrap().as_str());
    for span in &mut spans {
        operation(span, telemetry::EXECUTE_TOOL);
        set(span, telemetry::TOOL_NAME, json!(call.tool));
        set(span, telemetry::ARGS_DIGEST, digest(&call.arguments));
    }
    set(&mut spans[0], telemetry::TOOL_CALL_ID, json!(call.call_id));
    set(
        &mut spans[0],
        telemetry::RESULT_DIGEST,
        digest(call.result.as_ref().unwrap()),
    );
    for span in &mut spans[1..] {
        set(span, telemetry::MCP_METHOD, json!(telemetry::TOOLS_CALL));
    }
    set(&mut spans[1], telemetry::JSONRPC_ID, json!("7"));
    set(&mut spans[1], telemetry::ATTEMPT, json!(1));
    set(&mut spans[2], telemetry::JSONRPC_ID, json!(7));
    spans
}

fn span(
    id: &str,
    parent: &str,
    name: &str,
    kind: SpanKind,
    (start, end): (u64, u64),
    service: &str,
) -> Span {
    let resource = [
        (telemetry::SERVICE_NAME, service),
        (telemetry::CLUSTER_UID, CLUSTER),
        (telemetry::POD_UID, service),
    ];
    Span {
        trace_id: TRACE.into(),
        span_id: id.into(),
        parent_span_id: parent.into(),
        name: name.into(),
        kind,
        start_ns: 1_700_000_000_000_000_000 + start * 10_000_000,
        end_ns: 1_700_000_000_000_000_000 + end * 10_000_000,
        is_error: false,
        attributes: BTreeMap::new(),
        resource: resource
            .into_iter()
            .map(|(key, value)| (key.to_owned(), json!(value)))
            .collect(),
    }
}

fn operation(span: &mut Span, operation: &str) {
    set(span, telemetry::OPERATION, json!(operation));
}

pub(crate) fn set(span: &mut Span, key: &str, value: Value) {
    span.attributes.insert(key.to_owned(), value);
}
