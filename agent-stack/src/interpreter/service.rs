//! The routes of the interpreter.

use super::execute::{ExecuteError, Execution, Python};
use super::fingerprint::Fingerprint;
use crate::probe::{self, ProbeAnswer, ProbeRequest};
use crate::server;
use crate::telemetry::{ActiveSpan, Capture, SpanKind, header_context};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use opentelemetry_sdk::Resource;
use portproof_proto::telemetry::RUN_CODE;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// Time a program gets when the request names none, in seconds.
const DEFAULT_SECONDS: u32 = 10;
/// Longest time a request may name, in seconds.
const MAX_SECONDS: u32 = 60;
/// Largest request, in bytes.
const MAX_REQUEST: usize = 256 << 10;

/// Body of `POST /v1/execute`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecuteRequest {
    /// Python source.
    pub code: String,
    /// Longest time it may run, in seconds, at most 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
}

/// Answer to `POST /v1/execute`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecuteAnswer {
    /// What the program wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    /// Its exit code; 128 + n after signal n.
    pub exit_code: i32,
    /// Whether it was ended because its time was over.
    pub timed_out: bool,
    /// Whether it wrote more than is kept.
    pub truncated: bool,
    /// The finished spans of this request: base64 of an OTLP `ExportTraceServiceRequest`. The caller relays them,
    /// because this pod may not reach the collector.
    pub spans: String,
}

type Failure = (StatusCode, Json<Value>);

#[derive(Clone)]
struct Interpreter {
    python: Python,
    resource: Resource,
}

/// The routes of an interpreter whose spans carry `resource`.
pub fn router(python: Python, resource: Resource) -> Router {
    let router = Router::new()
        .route("/v1/execute", post(execute))
        .route("/v1/probe", post(probe))
        .route("/v1/fingerprint", get(fingerprint))
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .with_state(Interpreter { python, resource });
    server::with_health(router, server::always_ready())
}

async fn execute(
    State(interpreter): State<Interpreter>,
    headers: HeaderMap,
    Json(request): Json<ExecuteRequest>,
) -> Result<Json<ExecuteAnswer>, Failure> {
    let capture = Capture::new(&interpreter.resource);
    let parent = header_context(&headers);
    let span = capture
        .telemetry()
        .span(format!("{RUN_CODE} python"), SpanKind::Server, &parent);
    let execution = interpreter.run(&request).await;
    describe(&span, &execution);
    drop(span);
    let execution = execution.map_err(|error| not_run(&error))?;
    Ok(Json(answer(execution, capture.encode())))
}

impl Interpreter {
    async fn run(&self, request: &ExecuteRequest) -> Result<Execution, ExecuteError> {
        let seconds = request
            .timeout_seconds
            .unwrap_or(DEFAULT_SECONDS)
            .clamp(1, MAX_SECONDS);
        self.python
            .execute(&request.code, Duration::from_secs(seconds.into()))
            .await
    }
}

fn describe(span: &ActiveSpan, execution: &Result<Execution, ExecuteError>) {
    span.set("code.language", "python");
    match execution {
        Ok(execution) if execution.timed_out => span.fail("timeout", "the program was ended"),
        Ok(execution) => {
            span.set("process.exit.code", i64::from(execution.exit_code));
            if execution.exit_code != 0 {
                span.fail(
                    "exit_code",
                    format!("the program ended with code {}", execution.exit_code),
                );
            }
        }
        Err(error) => span.fail("not_run", error.to_string()),
    }
}

fn answer(execution: Execution, spans: String) -> ExecuteAnswer {
    let Execution {
        stdout,
        stderr,
        exit_code,
        timed_out,
        truncated,
    } = execution;
    ExecuteAnswer {
        stdout,
        stderr,
        exit_code,
        timed_out,
        truncated,
        spans,
    }
}

fn not_run(error: &ExecuteError) -> Failure {
    tracing::error!(%error, "the program was not run");
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        Json(json!({"error": error.to_string()})),
    )
}

async fn probe(Json(request): Json<ProbeRequest>) -> Json<ProbeAnswer> {
    Json(probe::run(&request).await)
}

async fn fingerprint() -> Json<Fingerprint> {
    Json(Fingerprint::read())
}
