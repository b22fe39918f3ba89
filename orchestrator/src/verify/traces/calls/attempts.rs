//! Rules about the attempts of one call.

use super::super::finding::{Code, Finding};
use super::super::tree::{Tree, service};
use super::below;
use crate::verify::evidence::{Span, SpanKind, ToolCall};
use portproof_proto::names::Part;
use portproof_proto::telemetry;
use serde_json::Value;

/// The CLIENT spans of one call in the order they began, one for each attempt.
pub(super) fn of<'a>(tree: &Tree<'a>, execute: &Span) -> Vec<&'a Span> {
    let mut clients: Vec<_> = below(tree, execute, SpanKind::Client)
        .filter(|client| service(client) == service(execute))
        .collect();
    clients.sort_by_key(|client| client.start_ns);
    clients
}

/// As many attempts as the agent reported, numbered from 1, all but the last of them failed.
pub(super) fn check(clients: &[&Span], execute: &Span, call: &ToolCall) -> Vec<Finding> {
    let reported = call.attempts as usize;
    // Without any there is a finding already, and a call under way has no number yet.
    if clients.is_empty() || reported == 0 {
        return Vec::new();
    }
    let seen = clients.len();
    if seen != reported {
        let message = format!(
            "`{}` shows {seen} attempts, the agent reported {reported}",
            execute.name
        );
        return vec![if seen < reported {
            Finding::missing(Code::PeerClosure, Part::Agent, message)
        } else {
            Finding::contradiction(Code::PeerClosure, message)
        }];
    }
    let numbered = clients.iter().zip(1_u64..);
    let mut findings: Vec<_> = numbered
        .filter(|(client, number)| attempt(client) != Some(*number))
        .map(|(client, number)| {
            let message = format!("attempt {number} of `{}` is not numbered so", client.name);
            Finding::contradiction(Code::ToolDetails, message)
        })
        .collect();
    let repeated = &clients[..seen - 1];
    findings.extend(
        repeated
            .iter()
            .filter(|client| !client.is_error)
            .map(|client| {
                let message = format!(
                    "an attempt of `{}` was repeated and shows no error",
                    client.name
                );
                Finding::contradiction(Code::Status, message)
            }),
    );
    findings
}

fn attempt(client: &Span) -> Option<u64> {
    match client.attributes.get(telemetry::ATTEMPT)? {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    }
}
