//! Runs Python in the interpreter and relays the spans it returns.

use super::{Answer, BackendError, Peer, Target, ToolFailure, text_argument};
use crate::telemetry::{ActiveSpan, Capture, SpanRelay, chain};
use portproof_proto::tool::PythonBackend;
use serde_json::{Value, json};
use std::time::Duration;

/// How long the interpreter may take, beyond the time of the program, to end it and to tell what it had written by then.
pub(super) const GRACE: Duration = Duration::from_secs(2);
const EXECUTE: &str = "/v1/execute";

/// What the caller of the tool is told: the program's own doing, which is the same wherever it runs. Times, memory, limits
/// and confinement differ from run to run and from cluster to cluster, and a result that holds them could not be compared;
/// they are attributes of the interpreter's span. Files are not part of the tool.
const TOLD: [&str; 6] = [
    "stdout",
    "stderr",
    "exitCode",
    "timedOut",
    "truncated",
    "endedBy",
];

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
    let mut answer = peer.send(&target, sent).await?;
    if let Some(spans) = answer.get("spans") {
        forward(relay, spans, peer.parent);
    }
    retain_told(&mut answer);
    Ok(Answer {
        failure: failure(&answer),
        value: answer,
    })
}

fn retain_told(answer: &mut Value) {
    if let Some(members) = answer.as_object_mut() {
        members.retain(|name, _| TOLD.contains(&name.as_str()));
    }
}

/// A program that was ended or ended with another code than 0 has failed.
fn failure(value: &Value) -> Option<ToolFailure> {
    if value.get("timedOut") == Some(&json!(true)) {
        return Some(ToolFailure::Late);
    }
    (value.get("exitCode") != Some(&json!(0))).then_some(ToolFailure::Reported)
}

/// The result counts even when its spans cannot be relayed; that they are missing will be seen in the trace.
fn forward(relay: &SpanRelay, spans: &Value, call: &ActiveSpan) {
    let export = Capture::decode(spans.as_str().unwrap_or_default());
    match export.map(|export| relay.forward(export, call.trace_id())) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(
            error = chain(&error),
            "spans of the interpreter are not relayed"
        ),
        Err(error) => tracing::warn!(
            error = chain(&error),
            "spans of the interpreter cannot be read"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_between_clusters_is_not_told() {
        let told = json!({"stdout": "1\n", "stderr": "", "exitCode": 0, "timedOut": false, "truncated": false,
            "endedBy": "exited"});
        let mut answer = told.clone();
        for (name, value) in [
            ("usage", json!({"wallMs": 17})),
            ("confinement", json!({"landlock": "unsupported"})),
            ("limits", json!({"wallSeconds": 20})),
            ("files", json!([])),
            ("filesOmitted", json!(0)),
            ("spans", json!("")),
        ] {
            answer[name] = value;
        }
        retain_told(&mut answer);
        assert_eq!(answer, told);
    }

    #[test]
    fn a_program_that_was_ended_or_says_so_has_failed() {
        for (late, code, expected) in [
            (false, 0, None),
            (true, 0, Some(ToolFailure::Late)),
            (false, 1, Some(ToolFailure::Reported)),
        ] {
            let told = json!({"timedOut": late, "exitCode": code});
            assert_eq!(failure(&told), expected);
        }
    }
}
