use super::*;
use crate::cluster::cleanup::{CleanupReport, cleanup};
use crate::cluster::fake::{FakeApi, path_of};
use portproof_proto::names::run_field_manager;
use serde_json::{Value, json};
use std::time::Duration;

const RUN: &str = "r1mhj8n3k7q";
const OTHER_RUN: &str = "r1mhj8n3k7r";

fn namespace() -> ObjectId {
    ObjectId::of_namespace(&names::run_namespace(RUN))
}

fn role(name: &str) -> ObjectId {
    ObjectId::cluster_scoped("rbac.authorization.k8s.io/v1", "ClusterRole", name)
}

/// An object that was created at `created`, with the annotations given.
fn live(object: &ObjectId, run: Option<&str>, created: &str, annotations: &Value) -> Value {
    let labels = run.map_or_else(|| json!({}), |run| json!({RUN_LABEL: run}));
    json!({
        "apiVersion": object.api_version, "kind": object.kind,
        "metadata": {
            "name": object.name, "uid": object.name, "labels": labels,
            "creationTimestamp": created, "annotations": annotations,
        },
    })
}

fn put(fake: &FakeApi, object: &ObjectId, run: Option<&str>, created: &str, annotations: &Value) {
    fake.put(&path_of(object), live(object, run, created, annotations));
}

#[tokio::test]
async fn runs_are_found_by_what_their_objects_say() {
    let (fake, cluster) = FakeApi::start().await;
    let long_ago = "2026-11-20T07:00:00Z";
    put(&fake, &namespace(), Some(RUN), long_ago, &json!({}));
    put(&fake, &role("ours"), Some(RUN), long_ago, &json!({}));
    put(
        &fake,
        &role("theirs"),
        Some(OTHER_RUN),
        long_ago,
        &json!({}),
    );
    put(&fake, &role("nobodys"), None, long_ago, &json!({}));
    let mut crd = tool::crd().unwrap();
    crd["metadata"]["uid"] = "5".into();
    crd["metadata"]["managedFields"] =
        json!([{"manager": run_field_manager(RUN), "operation": "Update"}]);
    fake.put(&path_of(&ObjectId::of_definition(tool::CRD_NAME)), crd);
    let runs = find_runs(&cluster).await.unwrap();
    let ids: Vec<_> = runs.iter().map(|it| it.run.as_str()).collect();
    assert_eq!(ids, [RUN, OTHER_RUN]);
    let soon = Duration::from_mins(5);
    let report = cleanup(&cluster, RUN, runs[0].objects.clone(), None, soon).await;
    assert_eq!(
        report,
        CleanupReport {
            removed: 3,
            ..CleanupReport::default()
        }
    );
    assert!(fake.holds(&path_of(&role("theirs"))) && fake.holds(&path_of(&role("nobodys"))));
}

#[tokio::test]
async fn a_found_run_says_since_when_it_is_there_and_when_it_expires() {
    let (fake, cluster) = FakeApi::start().await;
    let said = json!({
        names::CREATED_AT_ANNOTATION: "2026-11-21T08:00:00Z",
        names::EXPIRES_AT_ANNOTATION: "2026-11-22T08:00:00Z",
    });
    put(
        &fake,
        &namespace(),
        Some(RUN),
        "2026-11-21T08:00:05Z",
        &said,
    );
    let garbled = json!({names::EXPIRES_AT_ANNOTATION: "soon"});
    put(
        &fake,
        &role("theirs"),
        Some(OTHER_RUN),
        "2026-11-20T07:00:00Z",
        &garbled,
    );
    let runs = find_runs(&cluster).await.unwrap();
    let times: Vec<_> = runs.iter().map(|run| (run.began, run.expires)).collect();
    let time = |text: &str| Some(text.parse().unwrap());
    assert_eq!(
        times,
        [
            (time("2026-11-21T08:00:00Z"), time("2026-11-22T08:00:00Z")),
            (time("2026-11-20T07:00:00Z"), None),
        ]
    );
}
