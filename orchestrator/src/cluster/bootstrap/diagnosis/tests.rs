#![expect(
    clippy::needless_pass_by_value,
    reason = "literals read better without ampersands"
)]

use super::*;
use serde_json::{Value, json};

fn pod(status: Value) -> Pod {
    let pod = json!({"metadata": {"name": "control-1"}, "status": status});
    serde_json::from_value(pod).unwrap()
}

fn with_container(state: Value, last: Value) -> Pod {
    pod(json!({"phase": "Pending", "containerStatuses": [{
        "name": "control", "image": "i", "imageID": "", "ready": false, "restartCount": 1,
        "state": state, "lastState": last,
    }]}))
}

fn ready() -> Value {
    json!({"conditions": [{"type": "Ready", "status": "True"}]})
}

#[test]
fn a_ready_pod_is_named() {
    assert_eq!(outlook(&pod(ready())), Outlook::Ready("control-1".into()));
}

#[test]
fn a_ready_pod_that_is_being_deleted_is_not_waited_for_in_vain() {
    let mut leaving = pod(ready());
    leaving.metadata.deletion_timestamp =
        serde_json::from_value(json!("2026-11-21T08:00:00Z")).unwrap();
    assert_eq!(outlook(&leaving), Outlook::Waiting);
}

#[test]
fn an_image_that_is_never_pulled_is_not_waited_for() {
    let missing = json!({"waiting": {"reason": "ErrImageNeverPull", "message": "not present"}});
    let missing = with_container(missing, json!({}));
    assert_eq!(outlook(&missing), Outlook::Hopeless);
    assert_eq!(
        state(&missing),
        "the pod is Pending: ErrImageNeverPull (not present)"
    );
}

#[test]
fn a_container_that_crashes_may_still_recover_and_says_how_it_ended() {
    let crashing = with_container(
        json!({"waiting": {"reason": "CrashLoopBackOff"}}),
        json!({"terminated": {"exitCode": 2, "reason": "Error"}}),
    );
    assert_eq!(outlook(&crashing), Outlook::Waiting);
    assert_eq!(
        state(&crashing),
        "the pod is Pending: CrashLoopBackOff, and before that Error with exit code 2"
    );
}

#[test]
fn a_pod_without_a_node_says_why() {
    let unscheduled = pod(json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]}));
    assert_eq!(
        state(&unscheduled),
        "the pod is Pending: 0/1 nodes are available"
    );
}

#[test]
fn the_latest_warnings_come_first_and_each_once() {
    let event = |second: u32, message: &str| {
        let event = json!({"metadata": {}, "reason": "FailedCreate", "message": message,
            "lastTimestamp": format!("2026-11-21T08:00:{second:02}Z"),
            "involvedObject": {"kind": "ReplicaSet", "name": "control-x"}});
        serde_json::from_value(event).unwrap()
    };
    let events = vec![
        event(1, "old"),
        event(9, "new"),
        event(5, "new"),
        event(4, "b"),
        event(3, "c"),
    ];
    let said = latest(events);
    let expected = ["new", "b", "c"];
    assert_eq!(
        said,
        expected.map(|it| format!("ReplicaSet control-x: FailedCreate ({it})"))
    );
}
