//! Runs Python in the interpreter and relays the spans it returns.

use super::{Answer, BackendError, Peer, Target, text_argument};
use crate::telemetry::{ActiveSpan, Capture, SpanRelay};
use portproof_proto::tool::PythonBackend;
use serde_json::{Value, json};

const EXECUTE: &str = "/v1/execute";

pub(super) async fn call(
    peer: &Peer<'_>,
    relay: &SpanRelay,
    backend: &PythonBackend,
    arguments: &Value,
    timeout_seconds: u32,
) -> Result<Answer, BackendError> {
    let PythonBackend {
        service_name,
        port,
        code_argument,
    } = backend;
    let code = text_argument(arguments, code_argument)?;
    let request = json!({"code": code, "timeoutSeconds": timeout_seconds});
    let target = Target {
        method: "POST",
        service: service_name,
        port: *port,
        route: EXECUTE,
    };
    let sent = peer
        .client
        .post(format!("http://{service_name}:{port}{EXECUTE}"))
        .json(&request);
    let mut value = peer.send(&target, sent).await?;
    if let Some(spans) = value
        .as_object_mut()
        .and_then(|members| members.remove("spans"))
    {
        forward(relay, &spans, peer.parent);
    }
    let is_error = failed(&value);
    Ok(Answer { value, is_error })
}

/// A program that was ended or ended with another code than 0 has failed.
fn failed(value: &Value) -> bool {
    value.get("timedOut") == Some(&json!(true)) || value.get("exitCode") != Some(&json!(0))
}

/// The result counts even when its spans cannot be relayed; that they are missing will be seen in the trace.
fn forward(relay: &SpanRelay, spans: &Value, call: &ActiveSpan) {
    let export = Capture::decode(spans.as_str().unwrap_or_default());
    match export.map(|export| relay.forward(export, call.trace_id())) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "spans of the interpreter are not relayed"),
        Err(error) => tracing::warn!(%error, "spans of the interpreter cannot be read"),
    }
}
