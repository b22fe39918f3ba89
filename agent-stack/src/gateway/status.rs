//! What the tool gateway says about a `Tool` in its status.

use super::registry::Verdict;
use super::tool::Subject;
use crate::telemetry::chain;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use portproof_proto::tool::{ACCEPTED, READY, ToolStatus};

/// The status that `subject` should have; `None` when `current` is it already.
pub(super) fn wanted(
    subject: &Subject,
    verdict: &Verdict,
    current: &ToolStatus,
    now: Timestamp,
) -> Option<ToolStatus> {
    let observed_generation = subject.generation;
    let conditions = conditions(verdict).map(|said| Condition {
        type_: said.kind.to_owned(),
        status: if said.holds { "True" } else { "False" }.to_owned(),
        reason: said.reason.to_owned(),
        message: said.message,
        observed_generation,
        last_transition_time: Time(now),
    });
    let status = ToolStatus {
        observed_generation,
        conditions: conditions
            .into_iter()
            .map(|condition| keep_time(condition, current))
            .collect(),
    };
    (status != *current).then_some(status)
}

/// One condition before it has a time.
struct Said {
    kind: &'static str,
    holds: bool,
    reason: &'static str,
    message: String,
}

fn conditions(verdict: &Verdict) -> [Said; 2] {
    let said = |kind, holds, reason, message| Said {
        kind,
        holds,
        reason,
        message,
    };
    match verdict {
        Verdict::Served => [
            said(
                ACCEPTED,
                true,
                "Valid",
                "the schemas compile and the backend is there".to_owned(),
            ),
            said(
                READY,
                true,
                "Served",
                "the tool gateway serves the tool".to_owned(),
            ),
        ],
        Verdict::Unbacked(needed) => {
            let missing = format!(
                "there is no {} `{}` in the namespace",
                needed.kind, needed.name
            );
            let outlook = format!(
                "calls fail until there is a {} `{}`",
                needed.kind, needed.name
            );
            [
                said(ACCEPTED, false, "BackendNotFound", missing),
                said(READY, false, "BackendNotFound", outlook),
            ]
        }
        Verdict::Rejected(rejection) => [
            said(ACCEPTED, false, rejection.reason(), chain(rejection)),
            said(
                READY,
                false,
                "NotAccepted",
                format!("not served: {rejection}"),
            ),
        ],
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

#[cfg(test)]
mod tests {
    use super::super::inventory::Needed;
    use super::super::tool::Rejection;
    use super::*;

    fn subject(generation: i64) -> Subject {
        Subject {
            name: "x".into(),
            generation: Some(generation),
            ..Subject::default()
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn accepted() -> ToolStatus {
        wanted(&subject(3), &Verdict::Served, &ToolStatus::default(), at(1)).unwrap()
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
        let status = accepted();
        assert_eq!(
            states(&status),
            [("Accepted", "True", "Valid"), ("Ready", "True", "Served")]
        );
        assert_eq!(status.observed_generation, Some(3));
        assert_eq!(wanted(&subject(3), &Verdict::Served, &status, at(2)), None);
    }

    #[test]
    fn a_rejection_changes_the_status_and_its_time() {
        let rejection = Rejection::NameTaken {
            name: "x".into(),
            owner: "a".into(),
        };
        let status = wanted(
            &subject(3),
            &Verdict::Rejected(rejection),
            &accepted(),
            at(2),
        )
        .unwrap();
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
    fn a_missing_backend_is_named() {
        let verdict = Verdict::Unbacked(Needed::service("catalog"));
        let status = wanted(&subject(3), &verdict, &accepted(), at(2)).unwrap();
        assert_eq!(
            states(&status),
            [
                ("Accepted", "False", "BackendNotFound"),
                ("Ready", "False", "BackendNotFound")
            ]
        );
        assert_eq!(
            status.conditions[0].message,
            "there is no Service `catalog` in the namespace"
        );
    }

    #[test]
    fn a_new_generation_is_observed_without_a_new_time() {
        let status = wanted(&subject(4), &Verdict::Served, &accepted(), at(2)).unwrap();
        assert_eq!(status.observed_generation, Some(4));
        assert_eq!(status.conditions[0].last_transition_time, Time(at(1)));
    }
}
