use super::*;
use crate::control::api::Kind;
use crate::control::fake_api::FakeApi;
use http::StatusCode;
use portproof_proto::bundle::Bundle;
use portproof_proto::projection;
use portproof_proto::tool::{CRD_NAME, GROUP};
use portproof_proto::v1::import_request::Part;
use portproof_proto::v1::{BundleChunk, ImportOptions, ImportRequest};
use serde_json::{Value, json};

const NAMESPACE: &str = "portproof-r1";

fn home() -> Home {
    Home {
        run_id: "r1".into(),
        role: "b".into(),
        namespace: NAMESPACE.into(),
        cluster_uid: "c".into(),
    }
}
const TOOL_PATH: &str = "/apis/tools.portproof.dev/v1alpha1/namespaces/portproof-r1/tools/t";

fn crd() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": CRD_NAME}, "spec": {"group": GROUP}})
}

fn tool() -> Value {
    json!({"apiVersion": "tools.portproof.dev/v1alpha1", "kind": "Tool",
        "metadata": {"name": "t", "namespace": NAMESPACE, "labels": {"z": "1", "a": "2"}}, "spec": {"name": "t", "x": [1, 0.5]}})
}

fn config_map() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "documents", "namespace": NAMESPACE},
        "data": {"manual": "text"}})
}

/// A cluster without the CRD.
fn bare() -> FakeApi {
    FakeApi::default()
}

/// A cluster in which whoever runs the import has created the CRD.
fn cluster() -> FakeApi {
    let api = bare();
    api.put(&Kind::CRD.object("", CRD_NAME), established(crd()));
    api
}

fn established(mut crd: Value) -> Value {
    crd["status"] = json!({"conditions": [{"type": "Established", "status": "True"}]});
    crd
}

async fn import_into(
    api: &FakeApi,
    crds: &[Value],
    objects: &[Value],
    dry_run: bool,
) -> (Vec<ImportResult>, ImportSummary) {
    let parcel = Parcel {
        bundle: Bundle {
            crds: crds.to_vec(),
            objects: objects.to_vec(),
            descriptors: vec![],
        },
        dry_run,
    };
    let (events, mut received) = Events::channel();
    import(&api.server(), &home(), &parcel, &events)
        .await
        .unwrap();
    drop(events);
    let (mut results, mut summary) = (Vec::new(), None);
    while let Some(event) = received.recv().await {
        match event.unwrap().event.unwrap() {
            Event::Object(result) => results.push(result),
            Event::Summary(found) => summary = Some(found),
        }
    }
    (results, summary.unwrap())
}

async fn import_one(api: &FakeApi, object: Value) -> ImportResult {
    import_into(api, &[], &[object], false).await.0.remove(0)
}

/// What is said of the CRD where the API server gets next to no time to serve it.
async fn look_impatiently(api: &FakeApi) -> ImportResult {
    let target = Target {
        api: &api.server(),
        namespace: NAMESPACE,
        manager: "portproof",
        dry_run: false,
        patience: Duration::from_millis(100),
    };
    target.crd(&crd()).await.unwrap()
}

#[tokio::test]
async fn the_request_is_the_canonical_form_of_what_was_carried() {
    let api = cluster();
    let (results, summary) = import_into(&api, &[crd()], &[config_map(), tool()], false).await;
    assert_eq!(
        summary,
        ImportSummary {
            created: 2,
            present: 1,
            failed: 0
        }
    );
    assert_eq!(api.writes().len(), 2);
    for (sent, carried) in api.writes().iter().zip([config_map(), tool()]) {
        assert_eq!(
            sent.body,
            portproof_proto::canonical::to_bytes(&carried).unwrap()
        );
    }
    for result in &results[1..] {
        assert_eq!(result.source_digest, result.request_digest);
        assert_eq!(result.source_digest, result.admitted_digest);
        assert!(result.object.as_ref().unwrap().uid.starts_with("uid-"));
    }
}

#[tokio::test]
async fn whatever_an_import_creates_names_the_run_as_its_field_manager() {
    let api = cluster();
    import_into(&api, &[crd()], &[tool()], false).await;
    let created = api.get(TOOL_PATH).unwrap();
    assert_eq!(
        created["metadata"]["managedFields"][0]["manager"],
        names::run_field_manager("r1")
    );
}

#[tokio::test]
async fn what_admission_changed_shows_in_the_admitted_digest() {
    let api = cluster();
    api.on_write(|object| {
        if object["kind"] == "Tool" {
            object["metadata"]["labels"]["injected"] = json!("yes");
        }
    });
    let (results, _) = import_into(&api, &[crd()], &[tool()], false).await;
    let result = &results[1];
    assert_eq!(result.outcome(), Outcome::Created);
    assert_eq!(result.source_digest, result.request_digest);
    assert_ne!(result.source_digest, result.admitted_digest);
    assert_eq!(
        result.admitted_digest,
        projection::digest(&api.get(TOOL_PATH).unwrap())
            .unwrap()
            .to_string()
    );
}

#[tokio::test]
async fn an_identical_object_is_present_and_nothing_is_sent() {
    let api = cluster();
    api.put(
        "/api/v1/namespaces/portproof-r1/configmaps/documents",
        config_map(),
    );
    let result = import_one(&api, config_map()).await;
    assert_eq!(result.outcome(), Outcome::Present);
    assert!(api.writes().is_empty());
}

#[tokio::test]
async fn another_object_of_that_name_is_a_conflict_and_stays_as_it_is() {
    let api = cluster();
    let mut other = config_map();
    other["data"]["manual"] = json!("other text");
    let other = api.put(
        "/api/v1/namespaces/portproof-r1/configmaps/documents",
        other,
    );
    let result = import_one(&api, config_map()).await;
    assert_eq!(result.outcome(), Outcome::Conflict);
    assert_ne!(result.source_digest, result.admitted_digest);
    assert_eq!(
        api.get("/api/v1/namespaces/portproof-r1/configmaps/documents"),
        Some(other)
    );
}

#[tokio::test]
async fn the_crd_is_looked_at_and_never_created() {
    let (results, summary) = import_into(&bare(), &[crd()], &[], false).await;
    assert_eq!(results[0].outcome(), Outcome::Refused);
    assert!(results[0].reason.contains("creates it first"));
    assert_eq!(summary.failed, 1);
    let api = cluster();
    let (results, _) = import_into(&api, &[crd()], &[], false).await;
    assert_eq!(results[0].outcome(), Outcome::Present);
    assert_eq!(results[0].source_digest, results[0].admitted_digest);
    assert!(api.writes().is_empty());
}

#[tokio::test]
async fn a_different_crd_of_that_name_is_a_conflict() {
    let api = bare();
    let mut other = crd();
    other["spec"]["scope"] = json!("Cluster");
    api.put(&Kind::CRD.object("", CRD_NAME), established(other));
    let (results, summary) = import_into(&api, &[crd()], &[], false).await;
    assert_eq!(results[0].outcome(), Outcome::Conflict);
    assert_eq!(summary.failed, 1);
}

#[tokio::test]
async fn a_different_crd_that_does_not_serve_the_kind_is_a_conflict_all_the_same() {
    let api = bare();
    let mut other = crd();
    other["spec"]["scope"] = json!("Cluster");
    api.put(&Kind::CRD.object("", CRD_NAME), other);
    let result = look_impatiently(&api).await;
    assert_eq!(result.outcome(), Outcome::Conflict);
}

#[tokio::test]
async fn a_crd_that_is_being_deleted_is_not_there_to_stay() {
    let api = bare();
    let mut leaving = established(crd());
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    api.put(&Kind::CRD.object("", CRD_NAME), leaving);
    let (results, _) = import_into(&api, &[crd()], &[], false).await;
    assert_eq!(results[0].outcome(), Outcome::Refused);
    assert!(results[0].reason.contains("being deleted"));
}

#[tokio::test]
async fn a_crd_that_is_not_served_in_time_is_no_use() {
    let api = bare();
    api.put(&Kind::CRD.object("", CRD_NAME), crd());
    let result = look_impatiently(&api).await;
    assert_eq!(result.outcome(), Outcome::Refused);
    assert!(result.reason.contains("not established"));
}

#[tokio::test]
async fn what_the_api_server_refuses_is_refused_with_its_words() {
    let api = cluster();
    api.refuse(
        "/api/v1/namespaces/portproof-r1/configmaps",
        StatusCode::FORBIDDEN,
        "exceeded quota",
    );
    let result = import_one(&api, config_map()).await;
    assert_eq!(
        (result.outcome(), result.reason.as_str()),
        (Outcome::Refused, "exceeded quota")
    );
}

#[tokio::test]
async fn an_api_server_in_trouble_breaks_the_import_off() {
    let api = cluster();
    api.refuse(
        "/api/v1/namespaces/portproof-r1/configmaps",
        StatusCode::INTERNAL_SERVER_ERROR,
        "etcd is away",
    );
    let parcel = Parcel {
        bundle: Bundle {
            objects: vec![config_map()],
            ..Bundle::default()
        },
        dry_run: false,
    };
    let (events, _received) = Events::channel();
    let error = import(&api.server(), &home(), &parcel, &events)
        .await
        .unwrap_err();
    assert_eq!(Status::from(error).code(), Code::Unavailable);
}

#[tokio::test]
async fn objects_that_no_import_may_bring_are_refused_before_anything_is_sent() {
    let api = cluster();
    let mut elsewhere = config_map();
    elsewhere["metadata"]["namespace"] = json!("kube-system");
    let mut climbing = config_map();
    climbing["metadata"]["name"] = json!("../../../secrets");
    let mut with_status = config_map();
    with_status["status"] = json!({"phase": "Active"});
    let mut large = config_map();
    large["data"]["manual"] = json!("x".repeat(1024 * 1024));
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": NAMESPACE}});
    for object in [elsewhere, climbing, with_status, large, secret] {
        let result = import_one(&api, object.clone()).await;
        assert_eq!(result.outcome(), Outcome::Refused, "{}", result.reason);
    }
    assert!(api.writes().is_empty());
}

#[tokio::test]
async fn crds_of_others_are_refused() {
    let api = cluster();
    let mut other = established(crd());
    other["metadata"]["name"] = json!("gateways.gateway.networking.k8s.io");
    api.put(
        &Kind::CRD.object("", "gateways.gateway.networking.k8s.io"),
        other.clone(),
    );
    let (results, _) = import_into(&api, &[other], &[], false).await;
    assert_eq!(results[0].outcome(), Outcome::Refused);
    assert!(api.writes().is_empty());
}

#[tokio::test]
async fn a_dry_run_stores_nothing_and_does_not_judge_what_it_cannot_try() {
    let api = bare();
    let (results, summary) = import_into(&api, &[crd()], &[config_map(), tool()], true).await;
    let outcomes: Vec<_> = results.iter().map(ImportResult::outcome).collect();
    assert_eq!(
        outcomes,
        [Outcome::NotTried, Outcome::Created, Outcome::NotTried]
    );
    assert!(results[2].reason.starts_with("not tried"));
    assert_eq!(
        summary,
        ImportSummary {
            created: 1,
            present: 0,
            failed: 0
        }
    );
    assert_eq!(
        (api.get(TOOL_PATH), api.get(&Kind::CRD.object("", CRD_NAME))),
        (None, None)
    );
}

fn options(dry_run: bool) -> ImportRequest {
    ImportRequest {
        part: Some(Part::Options(ImportOptions { dry_run })),
    }
}

fn chunk(data: &[u8]) -> ImportRequest {
    ImportRequest {
        part: Some(Part::Chunk(BundleChunk {
            data: data.to_vec(),
        })),
    }
}

async fn received(
    requests: impl IntoIterator<Item = ImportRequest>,
) -> Result<Parcel, ImportError> {
    let requests: Vec<_> = requests.into_iter().map(Ok).collect();
    receive(futures::stream::iter(requests)).await
}

#[tokio::test]
async fn a_bundle_is_put_together_from_its_chunks() {
    let bundle = Bundle::new(&[crd()], &[tool()], vec![]);
    let encoded = bundle.encode().unwrap();
    let requests = std::iter::once(options(true)).chain(encoded.chunks(700).map(chunk));
    let parcel = received(requests).await.unwrap();
    assert_eq!((parcel.bundle, parcel.dry_run), (bundle, true));
}

#[tokio::test]
async fn a_stream_without_options_or_with_a_damaged_bundle_is_refused() {
    let without = received([chunk(b"x")]).await.unwrap_err();
    assert!(matches!(without, ImportError::Order));
    let mut encoded = Bundle::new(&[], &[config_map()], vec![]).encode().unwrap();
    let at = encoded
        .windows(6)
        .position(|window| window == b"\"text\"")
        .unwrap();
    encoded[at + 1] = b'n';
    let damaged = received([options(false), chunk(&encoded)])
        .await
        .unwrap_err();
    assert!(
        matches!(
            damaged,
            ImportError::Bundle(BundleError::DigestMismatch { .. })
        ),
        "{damaged}"
    );
}
