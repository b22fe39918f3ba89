//! What the tool gateway says about a `Tool` in its status.

use super::registry::Rejection;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use portproof_proto::tool::{ACCEPTED, READY, Tool, ToolStatus};
use serde_json::json;

/// Owner of the status fields.
const MANAGER: &str = "portproof-tool-gateway";

/// The status that `object` should have; `None` when it has it already.
pub(super) fn wanted(
    object: &Tool,
    verdict: &Result<(), Rejection>,
    now: Timestamp,
) -> Option<ToolStatus> {
    let current = object.status.clone().unwrap_or_default();
    let observed_generation = object.metadata.generation;
    let conditions: Vec<Condition> = [ACCEPTED, READY]
        .into_iter()
        .map(|kind| keep_time(condition(kind, verdict, observed_generation, now), &current))
        .collect();
    let status = ToolStatus {
        observed_generation,
        conditions,
    };
    (status != current).then_some(status)
}

fn condition(
    kind: &str,
    verdict: &Result<(), Rejection>,
    generation: Option<i64>,
    now: Timestamp,
) -> Condition {
    let (status, reason, message) = match verdict {
        Ok(()) if kind == READY => (
            "True",
            "Served",
            "the tool gateway serves the tool".to_owned(),
        ),
        Ok(()) => (
            "True",
            "Valid",
            "the schemas compile and the backend is known".to_owned(),
        ),
        Err(rejection) if kind == READY => {
            ("False", "NotAccepted", format!("not served: {rejection}"))
        }
        Err(rejection) => ("False", rejection.reason(), explain(rejection)),
    };
    Condition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: generation,
        last_transition_time: Time(now),
    }
}

fn explain(rejection: &Rejection) -> String {
    use std::error::Error as _;
    match rejection.source() {
        Some(source) => format!("{rejection}: {source}"),
        None => rejection.to_string(),
    }
}

/// The time of a condition is that of its last change of status, not of the last look at it.
fn keep_time(mut condition: Condition, current: &ToolStatus) -> Condition {
    let mut before = current.conditions.iter();
    if let Some(same) =
        before.find(|old| old.type_ == condition.type_ && old.status == condition.status)
    {
        condition.last_transition_time = same.last_transition_time.clone();
    }
    condition
}

/// Writes the status with server-side apply.
pub(super) async fn write(api: &Api<Tool>, object: &Tool, status: &ToolStatus) -> kube::Result<()> {
    let patch = json!({
        "apiVersion": "tools.portproof.dev/v1alpha1",
        "kind": "Tool",
        "metadata": {"name": object.name_any()},
        "status": status,
    });
    let params = PatchParams::apply(MANAGER).force();
    api.patch_status(&object.name_any(), &params, &Patch::Apply(patch))
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool() -> Tool {
        let spec = json!({"name": "x", "description": "d", "inputSchema": {"type": "object"},
            "backend": {"type": "Http", "http": {"serviceName": "s", "port": 80, "path": "/"}}});
        let mut tool = Tool::new("x", serde_json::from_value(spec).unwrap());
        tool.metadata.generation = Some(3);
        tool
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn states(status: &ToolStatus) -> Vec<(&str, &str, &str)> {
        let conditions = status.conditions.iter();
        conditions
            .map(|found| {
                (
                    found.type_.as_str(),
                    found.status.as_str(),
                    found.reason.as_str(),
                )
            })
            .collect()
    }

    #[test]
    fn a_served_tool_is_accepted_and_ready_and_says_so_once() {
        let mut tool = tool();
        let status = wanted(&tool, &Ok(()), at(1)).unwrap();
        assert_eq!(
            states(&status),
            [("Accepted", "True", "Valid"), ("Ready", "True", "Served")]
        );
        assert_eq!(status.observed_generation, Some(3));
        tool.status = Some(status);
        assert_eq!(wanted(&tool, &Ok(()), at(2)), None);
    }

    #[test]
    fn a_rejection_changes_the_status_and_its_time() {
        let mut tool = tool();
        tool.status = wanted(&tool, &Ok(()), at(1));
        let rejection = Rejection::NameTaken {
            name: "x".into(),
            owner: "a".into(),
        };
        let status = wanted(&tool, &Err(rejection), at(2)).unwrap();
        assert_eq!(
            states(&status),
            [
                ("Accepted", "False", "NameTaken"),
                ("Ready", "False", "NotAccepted")
            ]
        );
        assert_eq!(status.conditions[0].last_transition_time, Time(at(2)));
    }

    #[test]
    fn a_new_generation_is_observed_without_a_new_time() {
        let mut tool = tool();
        tool.status = wanted(&tool, &Ok(()), at(1));
        tool.metadata.generation = Some(4);
        let status = wanted(&tool, &Ok(()), at(2)).unwrap();
        assert_eq!(status.observed_generation, Some(4));
        assert_eq!(status.conditions[0].last_transition_time, Time(at(1)));
    }
}
