use super::*;
use crate::cluster::fake::{FakeApi, path_of};
use serde_json::json;

const OURS: &str = "portproof-r1mhj8n3k7q";
const LONG: Duration = Duration::from_mins(5);
const SHORT: Duration = Duration::from_millis(300);

/// A pod that Envoy Gateway runs for a Gateway in `served`; its path.
fn envoy(fake: &FakeApi, name: &str, served: &str, ending: bool) -> String {
    let object = ObjectId::namespaced("v1", "Pod", "envoy-gateway-system", name);
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "envoy-gateway-system", "uid": name,
            "labels": {OWNING_NAMESPACE: served},
        },
    });
    if ending {
        pod["metadata"]["deletionTimestamp"] = "2026-11-21T08:00:00Z".into();
    }
    fake.put(&path_of(&object), pod);
    path_of(&object)
}

#[tokio::test]
async fn pods_of_a_deleted_gateway_are_waited_for_and_those_of_others_are_not() {
    let (fake, cluster) = FakeApi::start().await;
    let ours = envoy(&fake, "ours", OURS, true);
    envoy(&fake, "theirs", "elsewhere", false);
    let drain = async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        fake.finish(&ours);
    };
    let (remains, ()) = tokio::join!(gone(&cluster, OURS, LONG), drain);
    assert!(!fake.holds(&ours));
    assert_eq!(remains, Remains::default());
}

#[tokio::test]
async fn what_is_still_draining_is_said_and_what_nobody_ends_is_left() {
    let (fake, cluster) = FakeApi::start().await;
    envoy(&fake, "draining", OURS, true);
    envoy(&fake, "forgotten", OURS, false);
    let remains = gone(&cluster, OURS, SHORT).await;
    assert_eq!(remains.draining, ["Pod envoy-gateway-system/draining"]);
    assert_eq!(remains.left.len(), 1);
    assert_eq!(remains.left[0].object.name, "forgotten");
    assert!(remains.left[0].reason.contains("has not removed it"));
}

#[tokio::test]
async fn not_being_allowed_to_look_is_said_at_once() {
    let (fake, cluster) = FakeApi::start().await;
    fake.forbid("/api/v1/pods");
    let remains = gone(&cluster, OURS, LONG).await;
    assert_eq!((remains.draining.len(), remains.left.len()), (1, 0));
    assert!(remains.draining[0].contains("403"), "{remains:?}");
}
