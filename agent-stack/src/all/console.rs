//! What `agent-stack all` says to a person. Logs go to stderr; this is the one place that writes to stdout.

use super::stack::Addresses;
use crate::agent::{AgentEvent, CallEvidence, CallOutcome};
use serde_json::Value;
use std::io::{self, Write};

/// Longest arguments and results that are shown, in characters.
const SHOWN: usize = 160;
/// The task of the line to try.
const EXAMPLE: &str =
    "What do 3 units of the replacement seal for pump P-100 cost, with 8 % discount?";

/// Writes for a person.
pub(super) struct Console<W> {
    out: W,
}

impl<W: Write> Console<W> {
    pub(super) const fn new(out: W) -> Self {
        Self { out }
    }

    /// Where everything is, and a line to try.
    pub(super) fn addresses(&mut self, addresses: &Addresses) -> io::Result<()> {
        let Addresses {
            agent,
            gateway,
            model,
            interpreter,
            catalog,
        } = addresses;
        let body = serde_json::json!({"prompt": EXAMPLE});
        writeln!(self.out, "agent        http://{agent}/v1/tasks")?;
        writeln!(self.out, "tool gateway http://{gateway}/mcp")?;
        writeln!(self.out, "model        http://{model}/v1/chat/completions")?;
        writeln!(self.out, "interpreter  http://{interpreter}/v1/execute")?;
        writeln!(self.out, "catalog      http://{catalog}/v1/items/SKU-7311")?;
        writeln!(self.out)?;
        writeln!(self.out, "Try:")?;
        writeln!(
            self.out,
            "  curl -N http://{agent}/v1/tasks -H 'Content-Type: application/json' -H 'Accept: text/event-stream' -d '{body}'"
        )?;
        writeln!(self.out)?;
        writeln!(self.out, "Ctrl-C ends it.")?;
        self.out.flush()
    }

    pub(super) fn stopping(&mut self) -> io::Result<()> {
        writeln!(self.out, "stopping")?;
        self.out.flush()
    }

    /// One event of a task.
    pub(super) fn event(&mut self, event: &AgentEvent) -> io::Result<()> {
        match event {
            AgentEvent::Tools { names, .. } => writeln!(self.out, "tools   {}", names.join(", ")),
            AgentEvent::Plan { steps } => {
                let steps: Vec<_> = steps
                    .iter()
                    .map(|step| match step.waits_for.as_slice() {
                        [] => format!("{} {}", step.call_id, step.tool),
                        waits => format!(
                            "{} {} (after {})",
                            step.call_id,
                            step.tool,
                            waits.join(", ")
                        ),
                    })
                    .collect();
                writeln!(self.out, "plan    {}", steps.join("; "))
            }
            AgentEvent::Call {
                call_id,
                tool,
                arguments,
            } => writeln!(self.out, "call    {call_id} {tool} {}", shown(arguments)),
            AgentEvent::Result {
                call_id,
                outcome,
                attempts,
                result,
                ..
            } => writeln!(
                self.out,
                "result  {call_id} {outcome}{} {}",
                again(*attempts),
                shown(result)
            ),
            AgentEvent::Answer { .. } | AgentEvent::Failure { .. } => self.end(event),
        }?;
        self.out.flush()
    }

    fn end(&mut self, event: &AgentEvent) -> io::Result<()> {
        match event {
            AgentEvent::Answer {
                text,
                evidence,
                unsupported_numbers,
                ..
            } => {
                self.evidence(evidence)?;
                if !unsupported_numbers.is_empty() {
                    let numbers = unsupported_numbers.join(", ");
                    writeln!(self.out, "warning no tool gave these numbers: {numbers}")?;
                }
                writeln!(self.out, "\n{text}")
            }
            AgentEvent::Failure {
                part,
                message,
                evidence,
                ..
            } => {
                self.evidence(evidence)?;
                writeln!(self.out, "\nfailed ({part}): {message}")
            }
            _ => Ok(()),
        }
    }

    fn evidence(&mut self, evidence: &[CallEvidence]) -> io::Result<()> {
        for call in evidence {
            let digest = call.result_sha256.as_deref().unwrap_or("no result");
            let outcome = match call.outcome {
                CallOutcome::Ok => String::new(),
                outcome => format!(" {outcome}"),
            };
            writeln!(
                self.out,
                "proof   {} {}{outcome}{} {digest}",
                call.call_id,
                call.tool,
                again(call.attempts)
            )?;
        }
        Ok(())
    }
}

fn again(attempts: u32) -> String {
    match attempts {
        0 | 1 => String::new(),
        attempts => format!(" (attempt {attempts})"),
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{FailedPart, PlannedStep};
    use serde_json::json;

    fn written(events: &[AgentEvent]) -> String {
        let mut out = Vec::new();
        let mut console = Console::new(&mut out);
        for event in events {
            console.event(event).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    fn evidence(outcome: CallOutcome, result: Option<&str>) -> CallEvidence {
        CallEvidence {
            call_id: "step-1".into(),
            tool: "lookup_price".into(),
            arguments_sha256: Some("sha256:aa".into()),
            result_sha256: result.map(str::to_owned),
            attempts: 2,
            outcome,
        }
    }

    #[test]
    fn a_task_reads_from_its_tools_to_its_answer() {
        let step = |id: &str, waits: &[&str]| PlannedStep {
            call_id: id.into(),
            tool: "lookup_price".into(),
            waits_for: waits.iter().map(|id| (*id).to_owned()).collect(),
        };
        let text = written(&[
            AgentEvent::Tools {
                names: vec!["lookup_price".into()],
                protocol_version: "2026-07-28".into(),
            },
            AgentEvent::Plan {
                steps: vec![step("step-1", &[]), step("step-2", &["step-1"])],
            },
            AgentEvent::Call {
                call_id: "step-1".into(),
                tool: "lookup_price".into(),
                arguments: json!({"sku": "SKU-1"}),
            },
            AgentEvent::Result {
                call_id: "step-1".into(),
                tool: "lookup_price".into(),
                outcome: CallOutcome::Ok,
                attempts: 2,
                result: json!({"unitPrice": 42.5}),
            },
            AgentEvent::Answer {
                text: "It costs 42.50 or 43.".into(),
                prompt_tokens: 1,
                completion_tokens: 1,
                model_backend: String::new(),
                evidence: vec![evidence(CallOutcome::Ok, Some("sha256:bb"))],
                unsupported_numbers: vec!["43".into()],
                retries: 1,
            },
        ]);
        insta::assert_snapshot!(text, @r#"
        tools   lookup_price
        plan    step-1 lookup_price; step-2 lookup_price (after step-1)
        call    step-1 lookup_price {"sku":"SKU-1"}
        result  step-1 ok (attempt 2) {"unitPrice":42.5}
        proof   step-1 lookup_price (attempt 2) sha256:bb
        warning no tool gave these numbers: 43

        It costs 42.50 or 43.
        "#);
    }

    #[test]
    fn a_failure_says_which_part_and_what_was_done() {
        let text = written(&[AgentEvent::Failure {
            part: FailedPart::Gateway,
            message: "no answer".into(),
            outcome: Some(CallOutcome::Transport),
            evidence: vec![evidence(CallOutcome::Transport, None)],
            retries: 1,
        }]);
        insta::assert_snapshot!(text, @r"
        proof   step-1 lookup_price transport (attempt 2) no result

        failed (gateway): no answer
        ");
    }
}
