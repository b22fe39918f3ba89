use super::*;
use crate::control::api::Create;
use crate::control::fake_api::FakeApi;
use portproof_proto::tool;
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

fn crd(api: &FakeApi) {
    api.put(
        &Kind::CRD.object("", tool::CRD_NAME),
        json!({"apiVersion": Kind::CRD.api_version, "kind": Kind::CRD.kind, "metadata": {"name": tool::CRD_NAME}}),
    );
}

async fn torn_down(api: &FakeApi) -> Vec<(String, Outcome)> {
    let (events, mut received) = Events::channel();
    teardown(&api.server(), &home(), &events).await.unwrap();
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
        torn_down(&api).await,
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
        torn_down(&api).await,
        [("mine".to_owned(), Outcome::Deleted)]
    );
}

#[tokio::test]
async fn the_carried_crd_is_left_to_the_orchestrator() {
    let api = FakeApi::default();
    crd(&api);
    assert!(torn_down(&api).await.is_empty());
    assert!(api.get(&Kind::CRD.object("", tool::CRD_NAME)).is_some());
    assert!(api.writes().is_empty());
}
