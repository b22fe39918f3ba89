use super::*;
use crate::control::api::Create;
use crate::control::fake_api::FakeApi;
use serde_json::json;

const NAMESPACE: &str = "portproof-r1";

fn home() -> Home {
    Home {
        run_id: "r1".into(),
        role: "a".into(),
        namespace: NAMESPACE.into(),
        cluster_uid: "c".into(),
    }
}

fn labelled(kind: Kind, name: &str, run: &str, component: &str) -> Value {
    json!({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name, "namespace": NAMESPACE,
        "labels": {RUN_LABEL: run, COMPONENT_LABEL: component}}})
}

fn put(api: &FakeApi, kind: Kind, name: &str, run: &str, component: &str) -> String {
    let path = kind.object(NAMESPACE, name);
    api.put(&path, labelled(kind, name, run, component));
    path
}

fn crd(api: &FakeApi) -> ObjectRef {
    let stored = api.put(
        &Kind::CRD.object("", tool::CRD_NAME),
        json!({"apiVersion": Kind::CRD.api_version, "kind": Kind::CRD.kind, "metadata": {"name": tool::CRD_NAME}}),
    );
    object_ref(&stored)
}

async fn torn_down(api: &FakeApi, cluster_scoped: &[ObjectRef]) -> Vec<(String, Outcome)> {
    let (events, mut received) = Events::channel();
    teardown(&api.server(), &home(), cluster_scoped, &events)
        .await
        .unwrap();
    drop(events);
    let mut outcomes = Vec::new();
    while let Some(event) = received.recv().await {
        let event = event.unwrap();
        outcomes.push((event.object.clone().unwrap().name, event.outcome()));
    }
    outcomes
}

#[tokio::test]
async fn only_what_this_run_provisioned_goes() {
    let api = FakeApi::default();
    let mine = put(&api, Kind::DEPLOYMENT, "agent", "r1", COMPONENT);
    let control = put(&api, Kind::DEPLOYMENT, "control", "r1", "control");
    let other_run = put(&api, Kind::SERVICE, "agent", "r2", COMPONENT);
    assert_eq!(
        torn_down(&api, &[]).await,
        [("agent".to_owned(), Outcome::Deleted)]
    );
    assert!(api.get(&mine).is_none());
    assert!(api.get(&control).is_some() && api.get(&other_run).is_some());
}

#[tokio::test]
async fn imported_objects_go_and_those_of_others_stay() {
    let api = FakeApi::default();
    crd(&api);
    let collection = Kind::CONFIG_MAP.collection(NAMESPACE);
    for (name, run) in [("mine", "r1"), ("of-another-run", "r2")] {
        let document = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": NAMESPACE}});
        let create = Create {
            manager: &run_field_manager(run),
            dry_run: false,
        };
        api.server()
            .create(&collection, document.to_string().into_bytes(), create)
            .await
            .unwrap();
    }
    api.put(
        &Kind::CONFIG_MAP.object(NAMESPACE, "kube-root-ca.crt"),
        labelled(Kind::CONFIG_MAP, "kube-root-ca.crt", "", ""),
    );
    assert_eq!(
        torn_down(&api, &[]).await,
        [("mine".to_owned(), Outcome::Deleted)]
    );
}

#[tokio::test]
async fn the_crd_goes_when_it_is_the_very_one() {
    let api = FakeApi::default();
    let crd = crd(&api);
    assert_eq!(
        torn_down(&api, std::slice::from_ref(&crd)).await,
        [(crd.name.clone(), Outcome::Deleted)]
    );
    assert_eq!(
        torn_down(&api, std::slice::from_ref(&crd)).await,
        [(crd.name.clone(), Outcome::Absent)]
    );
}

#[tokio::test]
async fn a_crd_with_another_uid_stays() {
    let api = FakeApi::default();
    let other = ObjectRef {
        uid: "of-another-time".into(),
        ..crd(&api)
    };
    assert_eq!(
        torn_down(&api, &[other]).await,
        [(tool::CRD_NAME.to_owned(), Outcome::Kept)]
    );
}

#[tokio::test]
async fn the_crd_stays_while_other_namespaces_have_tools() {
    let api = FakeApi::default();
    let crd = crd(&api);
    api.put(
        &Kind::TOOL.object("elsewhere", "t"),
        json!({"metadata": {"name": "t", "namespace": "elsewhere"}}),
    );
    assert_eq!(
        torn_down(&api, &[crd]).await,
        [(tool::CRD_NAME.to_owned(), Outcome::Kept)]
    );
}

#[tokio::test]
async fn cluster_scoped_objects_of_other_kinds_are_never_touched() {
    let api = FakeApi::default();
    let node = ObjectRef {
        kind: "Node".into(),
        name: "n".into(),
        uid: "u".into(),
        ..ObjectRef::default()
    };
    assert_eq!(
        torn_down(&api, &[node]).await,
        [("n".to_owned(), Outcome::Kept)]
    );
    assert!(api.writes().is_empty());
}
