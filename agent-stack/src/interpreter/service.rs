//! The routes of the interpreter.

use super::body::{ErrorCode, Failure, JsonBody};
use super::confinement::{ConfinementAnswer, describe_confinement};
use super::fingerprint::Fingerprint;
use super::report::EndedBy;
use super::request::{ExecuteAnswer, ExecuteRequest};
use super::run::{ExecuteError, Execution, Python};
use crate::probe::{self, ProbeAnswer, ProbeRequest};
use crate::server;
use crate::telemetry::{ActiveSpan, Capture, Metrics, SpanKind, header_context};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use opentelemetry_sdk::Resource;
use portproof_proto::telemetry::RUN_CODE;

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
        .route("/v1/confinement", get(confinement))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .with_state(Interpreter { python, resource });
    server::with_health(router, server::always_ready())
}

async fn execute(
    State(interpreter): State<Interpreter>,
    metrics: Option<Extension<Metrics>>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<ExecuteRequest>,
) -> Result<Json<ExecuteAnswer>, Failure> {
    let Interpreter { python, resource } = &interpreter;
    let settings = python.settings();
    let limits = request.limits(&settings.limits)?;
    let program = request.program(settings.files)?;
    let capture = Capture::new(resource);
    let parent = header_context(&headers);
    let span = capture
        .telemetry()
        .span(format!("{RUN_CODE} python"), SpanKind::Server, &parent);
    let mut counted = Counted {
        metrics: metrics.map(|Extension(metrics)| metrics),
        reason: EndedBy::Cancelled.name(),
    };
    let execution = python.execute(program, limits).await;
    counted.reason = reason(&execution);
    drop(counted);
    describe(&span, &execution);
    drop(span);
    let execution = execution.map_err(|error| not_run(&error))?;
    Ok(Json(ExecuteAnswer::new(execution, capture.encode())))
}

fn describe(span: &ActiveSpan, execution: &Result<Execution, ExecuteError>) {
    span.set("code.language", "python");
    match execution {
        Ok(execution) => {
            tell_usage(span, execution);
            tell_end(span, execution);
        }
        Err(error) => span.fail("not_run", error.to_string()),
    }
}

/// Counts a run when it is over, also one whose caller has gone away: then nothing else of it is told.
struct Counted {
    metrics: Option<Metrics>,
    reason: &'static str,
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(metrics) = &self.metrics {
            metrics.program_ended(self.reason);
        }
    }
}

/// What ended a run, for its metric.
fn reason(execution: &Result<Execution, ExecuteError>) -> &'static str {
    match execution {
        Ok(execution) => execution.ended_by.name(),
        Err(_) => "not_run",
    }
}

/// What differs from run to run and from cluster to cluster is told here and not in the tool's result.
fn tell_usage(span: &ActiveSpan, execution: &Execution) {
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let usage = &execution.usage;
    span.set("interpreter.ended_by", execution.ended_by.name());
    span.set("interpreter.wall_ms", number(usage.wall_ms));
    span.set("interpreter.cpu.user_ms", number(usage.user_cpu_ms));
    span.set("interpreter.cpu.system_ms", number(usage.system_cpu_ms));
    span.set("interpreter.left_over", number(usage.left_over));
    if let Some(bytes) = usage.max_rss_bytes {
        span.set("interpreter.max_rss_bytes", number(bytes));
    }
    let confinement = &execution.confinement;
    span.set("interpreter.landlock", confinement.landlock.name());
    span.set("interpreter.seccomp", confinement.seccomp.name());
}

fn tell_end(span: &ActiveSpan, execution: &Execution) {
    if execution.timed_out() {
        return span.fail("timeout", "the program was ended");
    }
    span.set("process.exit.code", i64::from(execution.exit_code));
    if execution.exit_code != 0 {
        let code = execution.exit_code;
        span.fail("exit_code", format!("the program ended with code {code}"));
    }
}

fn not_run(error: &ExecuteError) -> Failure {
    let (status, code) = match error {
        ExecuteError::Busy(_) => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Busy),
        ExecuteError::Unconfined { .. } => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unconfined),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal),
    };
    let told = error as &dyn std::error::Error;
    if code == ErrorCode::Busy {
        tracing::warn!(error = told, "a program was turned away");
    } else {
        tracing::error!(error = told, "the program was not run");
    }
    Failure::new(status, code, error.to_string())
}

async fn probe(JsonBody(request): JsonBody<ProbeRequest>) -> Json<ProbeAnswer> {
    Json(probe::run(&request).await)
}

async fn fingerprint() -> Json<Fingerprint> {
    Json(Fingerprint::read())
}

async fn confinement(
    State(interpreter): State<Interpreter>,
) -> Result<Json<ConfinementAnswer>, Failure> {
    let python = &interpreter.python;
    let found = python.confinement().await;
    let found = found.map_err(|error| not_run(&error))?;
    Ok(Json(describe_confinement(found, python.settings())))
}

async fn no_route() -> Failure {
    Failure::new(
        StatusCode::NOT_FOUND,
        ErrorCode::NotFound,
        "there is no such route; see `POST /v1/execute`, `POST /v1/probe`, `GET /v1/fingerprint`, `GET /v1/confinement`",
    )
}

async fn no_method() -> Failure {
    Failure::new(
        StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::MethodNotAllowed,
        "the route is called by another method",
    )
}
