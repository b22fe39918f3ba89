//! Rules about an agent's work: plan, model, tool calls, answer.
//!
//! Calls may run side by side and may need several attempts: an `execute_tool` span holds one CLIENT span per attempt,
//! and the last of them is the one whose answer counts.

mod attempts;

use super::finding::{Code, Finding};
use super::structure::{CLOCK_STEP_NS, invocation};
use super::tree::{Tree, is_tool_call, operation, service};
use crate::verify::evidence::{CallOutcome, Span, SpanKind, TaskTranscript, ToolCall};
use portproof_proto::names::Part;
use portproof_proto::{canonical, telemetry};
use serde_json::Value;
use std::collections::BTreeMap;

/// The reference tool that runs code in the interpreter, the last process of the chain.
pub(super) const INTERPRETED_TOOL: &str = "run_python";

/// The chain of one task: a plan that asked the model, then every tool call of the transcript, then the answer.
pub(super) fn check(tree: &Tree<'_>, task: &TaskTranscript) -> Vec<Finding> {
    let mut findings = Vec::new();
    match planned(tree) {
        Ok(chat) => task
            .calls
            .iter()
            .for_each(|call| check_call(tree, call, Some(chat), &mut findings)),
        Err(finding) => {
            findings.push(finding);
            task.calls
                .iter()
                .for_each(|call| check_call(tree, call, None, &mut findings));
        }
    }
    findings.extend(untold(tree, task));
    findings.extend(ambiguous(tree, task));
    findings.extend(unproven(task));
    findings
}

/// The model request of the plan: a `chat` CLIENT span below a `plan` below an `invoke_agent` below the request.
fn planned<'a>(tree: &Tree<'a>) -> Result<&'a Span, Finding> {
    let agent = tree
        .descendants(tree.root)
        .into_iter()
        .find(|span| operation(span) == telemetry::INVOKE_AGENT)
        .ok_or_else(|| {
            Finding::missing(
                Code::Chain,
                Part::Agent,
                "no `invoke_agent` span stands under the request",
            )
        })?;
    let plan = tree
        .descendants(&agent.span_id)
        .into_iter()
        .find(|span| operation(span) == telemetry::PLAN)
        .ok_or_else(|| {
            Finding::missing(
                Code::Chain,
                Part::Agent,
                "no `plan` span stands under `invoke_agent`",
            )
        })?;
    // A model that was busy was asked again: the plan came with the last request.
    tree.descendants(&plan.span_id)
        .into_iter()
        .filter(|span| operation(span) == telemetry::CHAT && span.kind == SpanKind::Client)
        .max_by_key(|span| span.end_ns)
        .ok_or_else(|| {
            Finding::missing(
                Code::Chain,
                Part::Agent,
                "no `chat` CLIENT span stands under `plan`",
            )
        })
}

fn check_call(tree: &Tree<'_>, call: &ToolCall, chat: Option<&Span>, findings: &mut Vec<Finding>) {
    let Some(execute) =
        executions(tree).find(|span| span.text(telemetry::TOOL_CALL_ID) == Some(&call.call_id))
    else {
        let message = format!(
            "no `execute_tool` span carries the id of the call {} ({})",
            call.call_id, call.tool
        );
        findings.push(Finding::missing(Code::Chain, Part::Agent, message));
        return;
    };
    findings.extend(order(tree, execute, chat));
    findings.extend(details(execute, call));
    let clients = attempts::of(tree, execute);
    findings.extend(attempts::check(&clients, execute, call));
    match peers(tree, execute, &clients) {
        Ok((client, server)) => {
            findings.extend(agreement(client, server, call));
            findings.extend(interpreter(tree, server, call));
        }
        // A call whose answer was lost may never have reached the gateway.
        Err(_) if call.outcome.is_some_and(CallOutcome::is_lost) && !clients.is_empty() => {}
        Err(finding) => findings.push(finding),
    }
}

/// Spans that stand for one tool call of the agent; CLIENT and SERVER ends of it may carry the same operation.
fn executions<'a>(tree: &Tree<'a>) -> impl Iterator<Item = &'a Span> {
    tree.spans.iter().copied().filter(|span| {
        operation(span) == telemetry::EXECUTE_TOOL && span.kind == SpanKind::Internal
    })
}

/// The plan ended before the tool began, and something of the same agent came after it.
fn order(tree: &Tree<'_>, execute: &Span, chat: Option<&Span>) -> Option<Finding> {
    let Some(agent) = invocation(tree, execute) else {
        let message = format!("`{}` does not stand under `invoke_agent`", execute.name);
        // With a missing span in between this may be a gap; with a complete path it is a contradiction.
        return Some(if tree.reaches_root(execute) {
            Finding::contradiction(Code::Chain, message)
        } else {
            Finding::missing(Code::Chain, Part::Agent, message)
        });
    };
    if chat.is_some_and(|chat| after(chat.end_ns, execute.start_ns)) {
        return Some(Finding::contradiction(
            Code::Chain,
            format!("`{}` began before the plan was made", execute.name),
        ));
    }
    let answered = tree
        .descendants(&agent.span_id)
        .into_iter()
        .any(|span| operation(span) == telemetry::CHAT && span.start_ns >= execute.end_ns);
    (!answered && after(execute.end_ns, agent.end_ns)).then(|| {
        Finding::contradiction(
            Code::Chain,
            format!("nothing of the agent came after `{}`", execute.name),
        )
    })
}

/// Whether `one` came after `other` by more than a step of the pod's clock explains.
const fn after(one: u64, other: u64) -> bool {
    one > other.saturating_add(CLOCK_STEP_NS)
}

/// Both ends of the attempt that was answered, the last one below an `execute_tool` span.
fn peers<'a>(
    tree: &Tree<'a>,
    execute: &Span,
    clients: &[&'a Span],
) -> Result<(&'a Span, &'a Span), Finding> {
    let client = clients.last().ok_or_else(|| {
        Finding::missing(
            Code::PeerClosure,
            Part::Agent,
            format!("no MCP CLIENT span stands under `{}`", execute.name),
        )
    })?;
    let server = below(tree, client, SpanKind::Server)
        .find(|server| service(server) != service(client))
        .ok_or_else(|| {
            Finding::missing(
                Code::PeerClosure,
                Part::ToolGateway,
                format!(
                    "no MCP SERVER span of another process answers `{}`",
                    execute.name
                ),
            )
        })?;
    Ok((client, server))
}

fn below<'a>(tree: &Tree<'a>, span: &Span, kind: SpanKind) -> impl Iterator<Item = &'a Span> {
    tree.descendants(&span.span_id)
        .into_iter()
        .filter(move |span| is_tool_call(span, kind))
}

/// What the agent's span says of the call is what the call was.
fn details(execute: &Span, call: &ToolCall) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(expect(execute, telemetry::TOOL_NAME, &call.tool));
    findings.extend(expect_digest(
        execute,
        telemetry::ARGS_DIGEST,
        &call.arguments,
    ));
    if let Some(result) = call.result.as_ref().filter(|_| !call.is_error) {
        findings.extend(expect_digest(execute, telemetry::RESULT_DIGEST, result));
    }
    if call.is_error && !execute.is_error {
        let message = format!(
            "the call of {} failed and `{}` does not show it",
            call.tool, execute.name
        );
        findings.push(Finding::contradiction(Code::Status, message));
    }
    findings
}

/// Caller and callee speak of the same call.
fn agreement(client: &Span, server: &Span, call: &ToolCall) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(expect(server, telemetry::TOOL_NAME, &call.tool));
    findings.extend(expect_digest(
        server,
        telemetry::ARGS_DIGEST,
        &call.arguments,
    ));
    let id = |span: &Span| span.attributes.get(telemetry::JSONRPC_ID).map(plain);
    match (id(client), id(server)) {
        (Some(asked), Some(answered)) if asked == answered => {}
        (Some(asked), Some(answered)) => findings.push(Finding::contradiction(
            Code::ToolDetails,
            format!("the client asked with JSON-RPC id {asked}, the server answered {answered}"),
        )),
        _ => findings.push(Finding::contradiction(
            Code::ToolDetails,
            format!("an end of {} has no {}", call.tool, telemetry::JSONRPC_ID),
        )),
    }
    findings
}

/// Ids are strings or numbers on the wire; semantic conventions write both as strings.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn expect(span: &Span, attribute: &str, expected: &str) -> Option<Finding> {
    let message = match span.text(attribute) {
        Some(found) if found == expected => return None,
        Some(found) => format!(
            "`{}` of {} says {attribute} = {found}, the call was {expected}",
            span.name,
            service(span)
        ),
        None => format!("`{}` of {} has no {attribute}", span.name, service(span)),
    };
    Some(Finding::contradiction(Code::ToolDetails, message))
}

fn expect_digest(span: &Span, attribute: &str, value: &Value) -> Option<Finding> {
    match canonical::digest(value) {
        Ok(digest) => expect(span, attribute, digest.as_str()),
        Err(error) => Some(Finding::undecided(
            Code::ToolDetails,
            format!("{attribute} cannot be compared: {error}"),
        )),
    }
}

/// Code ran in the interpreter's process, called by the tool gateway.
fn interpreter(tree: &Tree<'_>, server: &Span, call: &ToolCall) -> Option<Finding> {
    if call.tool != INTERPRETED_TOOL || ran_code(tree, server) {
        return None;
    }
    let message = format!(
        "no `{}` SERVER span of the interpreter stands under the call of {}",
        telemetry::RUN_CODE,
        call.tool
    );
    Some(Finding::missing(
        Code::PeerClosure,
        Part::Interpreter,
        message,
    ))
}

fn ran_code(tree: &Tree<'_>, server: &Span) -> bool {
    tree.descendants(&server.span_id).into_iter().any(|span| {
        span.kind == SpanKind::Server
            && span.name.starts_with(telemetry::RUN_CODE)
            && service(span) != service(server)
    })
}

/// Tool calls in the trace that the agent did not report.
fn untold(tree: &Tree<'_>, task: &TaskTranscript) -> Vec<Finding> {
    let told = |id: &str| task.calls.iter().any(|call| call.call_id == id);
    executions(tree)
        .map(|span| {
            span.text(telemetry::TOOL_CALL_ID)
                .unwrap_or("without an id")
        })
        .filter(|id| !told(id))
        .map(|id| {
            Finding::contradiction(
                Code::Chain,
                format!("the trace shows a tool call {id} that the agent did not report"),
            )
        })
        .collect()
}

/// Calls that share an id, in the report or in the trace: one span would stand for several calls.
fn ambiguous(tree: &Tree<'_>, task: &TaskTranscript) -> Vec<Finding> {
    let reported = task.calls.iter().map(|call| call.call_id.as_str());
    let mut findings: Vec<_> = repeated(reported)
        .map(|id| {
            let message = format!("the agent reported several calls with the id {id}");
            Finding::contradiction(Code::ToolDetails, message)
        })
        .collect();
    let shown = executions(tree).filter_map(|span| span.text(telemetry::TOOL_CALL_ID));
    findings.extend(repeated(shown).map(|id| {
        let message = format!("the trace shows the call {id} more than once");
        Finding::contradiction(Code::Chain, message)
    }));
    findings
}

fn repeated<'a>(ids: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    ids.for_each(|id| *seen.entry(id).or_default() += 1);
    seen.into_iter()
        .filter_map(|(id, number)| (number > 1).then_some(id))
}

/// Calls whose proof in the agent's last event is missing or names other arguments or another result.
fn unproven(task: &TaskTranscript) -> Vec<Finding> {
    let ended = task.calls.iter().filter(|call| call.outcome.is_some());
    ended.filter_map(|call| contradicted(task, call)).collect()
}

fn contradicted(task: &TaskTranscript, call: &ToolCall) -> Option<Finding> {
    let digest = |value: &Value| {
        canonical::digest(value)
            .ok()
            .map(|digest| digest.to_string())
    };
    let Some(proof) = task
        .proof
        .iter()
        .find(|proof| proof.call_id == call.call_id)
    else {
        let message = format!("the answer has no proof of the call {}", call.call_id);
        return Some(Finding::contradiction(Code::ToolDetails, message));
    };
    let arguments = digest(&call.arguments).unwrap_or_default();
    let result = call.result.as_ref().and_then(digest).unwrap_or_default();
    let refused = call.outcome == Some(CallOutcome::Refused);
    let same = proof.arguments_sha256 == arguments && (refused || proof.result_sha256 == result);
    (!same).then(|| {
        Finding::contradiction(
            Code::ToolDetails,
            format!(
                "the answer's proof of the call {} is of another exchange",
                call.call_id
            ),
        )
    })
}
