use super::super::create::create;
use super::super::error::ClusterError;
use super::super::fake::{CLUSTER_UID, FakeApi, path_of};
use super::*;
use crate::ledger::{self, FORMAT, LedgerHeader};
use portproof_proto::names::{RUN_LABEL, run_field_manager};
use portproof_proto::tool;
use serde_json::{Value, json};

const RUN: &str = "r1mhj8n3k7q";
const OTHER_RUN: &str = "r1mhj8n3k7r";
const SOON: Duration = Duration::from_mins(5);

fn namespace() -> ObjectId {
    ObjectId::of_namespace(&names::run_namespace(RUN))
}

fn role(name: &str) -> ObjectId {
    ObjectId::cluster_scoped("rbac.authorization.k8s.io/v1", "ClusterRole", name)
}

fn tool_in(namespace: &str) -> ObjectId {
    ObjectId::namespaced("tools.portproof.dev/v1alpha1", "Tool", namespace, "lookup")
}

fn definition() -> ObjectId {
    ObjectId::of_definition(tool::CRD_NAME)
}

/// An object as the API server would hold it.
fn live(object: &ObjectId, uid: &str, run: Option<&str>) -> Value {
    let mut live = json!({
        "apiVersion": object.api_version, "kind": object.kind,
        "metadata": {"name": object.name, "uid": uid},
    });
    if let Some(namespace) = &object.namespace {
        live["metadata"]["namespace"] = namespace.as_str().into();
    }
    if let Some(run) = run {
        live["metadata"]["labels"] = json!({RUN_LABEL: run});
    }
    live
}

fn put(fake: &FakeApi, object: &ObjectId, uid: &str, run: Option<&str>) {
    fake.put(&path_of(object), live(object, uid, run));
}

fn put_definition(fake: &FakeApi, uid: &str, manager: &str) {
    let mut crd = tool::crd().unwrap();
    crd["metadata"]["uid"] = uid.into();
    crd["metadata"]["managedFields"] = json!([{"manager": manager, "operation": "Update"}]);
    fake.put(&path_of(&definition()), crd);
}

fn of(object: &ObjectId, uid: Option<&str>) -> Outstanding {
    Outstanding {
        object: object.clone(),
        uid: uid.map(str::to_owned),
    }
}

fn only(left: &[Left]) -> &str {
    assert_eq!(left.len(), 1, "{left:?}");
    &left[0].reason
}

async fn clean(cluster: &Cluster, outstanding: Vec<Outstanding>) -> CleanupReport {
    cleanup(cluster, RUN, outstanding, None, SOON).await
}

/// What would be reported if time were up after so many rounds.
async fn after_rounds(
    cluster: &Cluster,
    outstanding: Vec<Outstanding>,
    rounds: u32,
) -> CleanupReport {
    let namespace = names::run_namespace(RUN);
    let mut round = Round {
        cluster,
        run: RUN,
        namespace: &namespace,
        items: in_order(outstanding),
    };
    for _ in 0..rounds {
        assert!(!round.play().await);
    }
    report(cluster, &round.items, SOON).await
}

#[tokio::test]
async fn objects_of_the_run_go_and_those_of_others_stay() {
    let (fake, cluster) = FakeApi::start().await;
    put(&fake, &role("ours"), "1", Some(RUN));
    put(&fake, &role("theirs"), "2", Some(OTHER_RUN));
    put(&fake, &role("nobodys"), "3", None);
    let report = clean(&cluster, vec![of(&role("ours"), Some("1"))]).await;
    assert_eq!(
        report,
        CleanupReport {
            removed: 1,
            ..CleanupReport::default()
        }
    );
    assert!(!fake.holds(&path_of(&role("ours"))));
    assert!(fake.holds(&path_of(&role("theirs"))) && fake.holds(&path_of(&role("nobodys"))));
}

#[tokio::test]
async fn a_later_object_of_the_same_name_is_kept() {
    let (fake, cluster) = FakeApi::start().await;
    put(&fake, &role("again"), "2", Some(RUN));
    let report = clean(&cluster, vec![of(&role("again"), Some("1"))]).await;
    assert!(only(&report.kept).contains("another object of that name"));
    assert!(fake.changes().is_empty());
}

#[tokio::test]
async fn an_object_without_the_label_of_this_run_is_kept_even_if_its_uid_is_the_recorded_one() {
    for label in [None, Some(OTHER_RUN)] {
        let (fake, cluster) = FakeApi::start().await;
        put(&fake, &role("relabelled"), "1", label);
        let report = clean(&cluster, vec![of(&role("relabelled"), Some("1"))]).await;
        assert!(only(&report.kept).contains(label.unwrap_or(RUN_LABEL)));
        assert!(fake.changes().is_empty());
    }
}

#[tokio::test]
async fn an_intent_without_uid_is_found_by_name_and_label() {
    let (fake, cluster) = FakeApi::start().await;
    put(&fake, &role("asked-for"), "1", Some(RUN));
    put(&fake, &role("was-there-before"), "2", None);
    let intents = vec![
        of(&role("asked-for"), None),
        of(&role("was-there-before"), None),
        of(&role("never-made"), None),
    ];
    let report = clean(&cluster, intents).await;
    assert_eq!(report.removed, 2);
    assert_eq!(report.kept[0].object, role("was-there-before"));
    assert_eq!(
        fake.changes(),
        [format!("DELETE {}", path_of(&role("asked-for")))]
    );
}

#[tokio::test]
async fn what_is_gone_already_counts_as_removed_and_cleaning_up_twice_asks_for_nothing() {
    let (fake, cluster) = FakeApi::start().await;
    put(&fake, &role("ours"), "1", Some(RUN));
    let all = vec![of(&role("ours"), Some("1")), of(&role("gone"), Some("9"))];
    assert_eq!(clean(&cluster, all.clone()).await.removed, 2);
    let asked = fake.changes();
    assert_eq!(clean(&cluster, all).await.removed, 2);
    assert_eq!(fake.changes(), asked);
}

#[tokio::test]
async fn resources_go_before_their_definition_and_the_namespace_goes_last() {
    let (fake, cluster) = FakeApi::start().await;
    let elsewhere = tool_in("elsewhere");
    put(&fake, &namespace(), "1", Some(RUN));
    put_definition(&fake, "2", "kubectl");
    put(&fake, &elsewhere, "3", Some(RUN));
    let wrong_order = vec![
        of(&namespace(), Some("1")),
        of(&definition(), Some("2")),
        of(&elsewhere, Some("3")),
    ];
    let report = clean(&cluster, wrong_order).await;
    assert_eq!(report.removed, 3);
    let asked = fake.changes();
    let at = |object: &ObjectId| {
        let change = format!("DELETE {}", path_of(object));
        asked.iter().position(|it| *it == change).unwrap()
    };
    assert!(at(&elsewhere) < at(&definition()));
    assert!(at(&elsewhere) < at(&namespace()));
}

#[tokio::test]
async fn the_namespace_is_asked_to_go_while_another_object_still_holds_on() {
    let (fake, cluster) = FakeApi::start().await;
    let mut held = live(&role("held"), "1", Some(RUN));
    held["metadata"]["finalizers"] = json!(["example.org/wait"]);
    fake.put(&path_of(&role("held")), held);
    put(&fake, &namespace(), "2", Some(RUN));
    let all = vec![of(&role("held"), Some("1")), of(&namespace(), Some("2"))];
    let report = after_rounds(&cluster, all, 2).await;
    assert_eq!(report.removed, 1);
    assert_eq!(report.left[0].object, role("held"));
    assert!(!fake.holds(&path_of(&namespace())));
}

#[tokio::test]
async fn what_is_inside_a_namespace_of_the_run_goes_with_it() {
    let (fake, cluster) = FakeApi::start().await;
    let inside = tool_in(&namespace().name);
    let secret = ObjectId::namespaced("v1", "Secret", &namespace().name, "tls");
    put(&fake, &namespace(), "1", Some(RUN));
    put(&fake, &secret, "2", Some(RUN));
    let all = vec![
        of(&inside, None),
        of(&secret, Some("2")),
        of(&namespace(), Some("1")),
    ];
    assert_eq!(clean(&cluster, all).await.removed, 3);
    let changes = fake.changes();
    assert_eq!(changes[0], format!("DELETE {}", path_of(&namespace())));
    assert!(!changes.contains(&format!("DELETE {}", path_of(&secret))));
    assert!(!fake.holds(&path_of(&secret)));
}

#[tokio::test]
async fn pods_of_a_namespace_that_goes_are_told_to_end_and_left_to_it_when_that_fails() {
    let (fake, cluster) = FakeApi::start().await;
    let pods = format!("{}/pods", path_of(&namespace()));
    for refusals in [Vec::new(), vec![403], vec![500]] {
        put(&fake, &namespace(), "1", Some(RUN));
        fake.refuse(&pods, &refusals);
        let report = clean(&cluster, vec![of(&namespace(), Some("1"))]).await;
        assert_eq!((report.removed, report.left), (1, Vec::new()));
    }
    let round = [path_of(&namespace()), pods].map(|path| format!("DELETE {path}"));
    assert_eq!(
        fake.changes(),
        [round.clone(), round.clone(), round].concat()
    );
}

#[tokio::test]
async fn in_a_namespace_that_is_kept_only_objects_of_the_run_go() {
    let (fake, cluster) = FakeApi::start().await;
    let secret = |name| ObjectId::namespaced("v1", "Secret", &namespace().name, name);
    put(&fake, &namespace(), "1", None);
    put(&fake, &secret("ours"), "2", Some(RUN));
    put(&fake, &secret("theirs"), "3", None);
    let all = vec![
        of(&secret("ours"), Some("2")),
        of(&secret("theirs"), None),
        of(&namespace(), None),
    ];
    let report = clean(&cluster, all).await;
    assert_eq!((report.removed, report.kept.len()), (1, 2));
    assert_eq!(
        fake.changes(),
        [format!("DELETE {}", path_of(&secret("ours")))]
    );
}

#[tokio::test]
async fn a_definition_that_others_use_is_kept() {
    let (fake, cluster) = FakeApi::start().await;
    put_definition(&fake, "1", "kubectl");
    put(&fake, &tool_in("team"), "2", None);
    let report = clean(&cluster, vec![of(&definition(), Some("1"))]).await;
    assert!(only(&report.kept).contains("team/lookup"));
    assert!(fake.changes().is_empty());
}

#[tokio::test]
async fn a_definition_that_only_the_run_uses_goes() {
    let (fake, cluster) = FakeApi::start().await;
    put_definition(&fake, "1", "kubectl");
    put(&fake, &tool_in(&namespace().name), "2", None);
    assert_eq!(
        clean(&cluster, vec![of(&definition(), Some("1"))])
            .await
            .removed,
        1
    );
    assert!(!fake.holds(&path_of(&definition())));
}

#[tokio::test]
async fn a_definition_without_a_recorded_uid_goes_only_if_the_run_made_the_request() {
    for (manager, removed) in [
        (run_field_manager(RUN), 1),
        (run_field_manager(OTHER_RUN), 0),
    ] {
        let (fake, cluster) = FakeApi::start().await;
        put_definition(&fake, "1", &manager);
        let report = clean(&cluster, vec![of(&definition(), None)]).await;
        assert_eq!(report.removed, removed);
        assert_eq!(fake.holds(&path_of(&definition())), removed == 0);
    }
}

#[tokio::test]
async fn a_conflict_and_a_failing_server_are_tried_again() {
    let (fake, cluster) = FakeApi::start().await;
    put(&fake, &role("ours"), "1", Some(RUN));
    fake.refuse(&path_of(&role("ours")), &[409, 500]);
    assert_eq!(
        clean(&cluster, vec![of(&role("ours"), Some("1"))])
            .await
            .removed,
        1
    );
    assert_eq!(fake.changes().len(), 3);
}

#[tokio::test]
async fn a_refusal_is_reported_and_not_tried_again() {
    let (fake, cluster) = FakeApi::start().await;
    put(&fake, &role("ours"), "1", Some(RUN));
    fake.refuse(&path_of(&role("ours")), &[403]);
    let report = clean(&cluster, vec![of(&role("ours"), Some("1"))]).await;
    assert!(only(&report.left).contains("403"));
    assert_eq!(fake.changes().len(), 1);
}

#[tokio::test]
async fn a_stuck_namespace_is_reported_with_what_holds_it() {
    let (fake, cluster) = FakeApi::start().await;
    let mut stuck = live(&namespace(), "1", Some(RUN));
    stuck["metadata"]["finalizers"] = json!(["kubernetes"]);
    stuck["status"] = json!({"conditions": [
        {"type": "NamespaceFinalizersRemaining", "status": "True", "message": "example.org/wait in 1 resource"},
        {"type": "NamespaceDeletionDiscoveryFailure", "status": "False", "message": "all well"},
    ]});
    fake.put(&path_of(&namespace()), stuck);
    let inside = tool_in(&namespace().name);
    let all = vec![of(&inside, None), of(&namespace(), Some("1"))];
    let report = after_rounds(&cluster, all.clone(), 2).await;
    let reason = only(&report.left);
    assert!(reason.contains("NamespaceFinalizersRemaining: example.org/wait in 1 resource"));
    assert!(!reason.contains("all well"));
    fake.finish(&path_of(&namespace()));
    assert_eq!(clean(&cluster, all).await.removed, 2);
}

#[tokio::test]
async fn what_still_drains_outside_the_namespace_is_no_left_over() {
    let (fake, cluster) = FakeApi::start().await;
    put(&fake, &namespace(), "1", Some(RUN));
    let pod = ObjectId::namespaced("v1", "Pod", "envoy-gateway-system", "envoy");
    let mut draining = live(&pod, "2", None);
    draining["metadata"]["labels"] =
        json!({"gateway.envoyproxy.io/owning-gateway-namespace": namespace().name});
    draining["metadata"]["deletionTimestamp"] = "2026-11-21T08:00:00Z".into();
    fake.put(&path_of(&pod), draining);
    let all = vec![of(&namespace(), Some("1"))];
    let report = cleanup(&cluster, RUN, all, None, Duration::from_secs(1)).await;
    assert_eq!(
        report,
        CleanupReport {
            removed: 1,
            draining: vec![pod.to_string()],
            ..CleanupReport::default()
        }
    );
}

fn new_ledger(directory: &std::path::Path) -> Ledger {
    let header = LedgerHeader {
        format: FORMAT,
        run_id: RUN.to_owned(),
        namespace: namespace().name,
        clusters: Vec::new(),
    };
    Ledger::create(&directory.join("ledger.jsonl"), &header).unwrap()
}

#[tokio::test]
async fn what_was_created_is_in_the_ledger_until_it_was_removed() {
    let (_fake, cluster) = FakeApi::start().await;
    assert_eq!((cluster.uid(), cluster.version()), (CLUSTER_UID, "v1.34.2"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.jsonl");
    let ledger = new_ledger(directory.path());
    let uid = create(&cluster, &ledger, live(&namespace(), "", Some(RUN)))
        .await
        .unwrap();
    let outstanding = ledger::read(&path).unwrap().outstanding(CLUSTER_UID);
    assert_eq!(outstanding, [of(&namespace(), Some(&uid))]);
    let report = cleanup(&cluster, RUN, outstanding, Some(&ledger), SOON).await;
    assert_eq!(report.removed, 1);
    assert_eq!(ledger::read(&path).unwrap().outstanding(CLUSTER_UID), []);
}

#[tokio::test]
async fn an_object_that_is_there_already_is_never_taken_over_and_never_removed() {
    let (fake, cluster) = FakeApi::start().await;
    put(&fake, &role("theirs"), "1", None);
    let directory = tempfile::tempdir().unwrap();
    let ledger = new_ledger(directory.path());
    let error = create(&cluster, &ledger, live(&role("theirs"), "", Some(RUN)))
        .await
        .unwrap_err();
    assert!(
        matches!(error, ClusterError::AlreadyExists { object, .. } if object == role("theirs"))
    );
    let record = ledger::read(&directory.path().join("ledger.jsonl")).unwrap();
    let report = clean(&cluster, record.outstanding(CLUSTER_UID)).await;
    assert_eq!((report.removed, report.kept.len()), (0, 1));
    assert!(fake.holds(&path_of(&role("theirs"))));
}
