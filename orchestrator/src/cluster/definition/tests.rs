use super::*;
use crate::cluster::fake::{CLUSTER_UID, FakeApi, path_of};
use crate::ledger::{self, FORMAT, LedgerHeader, Outstanding};
use portproof_proto::tool;
use serde_json::json;

const RUN: &str = "r1mhj8n3k7q";

/// A cluster, a ledger, and a definition to carry.
struct Bench {
    fake: FakeApi,
    cluster: Cluster,
    ledger: Ledger,
    directory: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let (fake, cluster) = FakeApi::start().await;
        let directory = tempfile::tempdir().unwrap();
        let header = LedgerHeader {
            format: FORMAT,
            run_id: RUN.to_owned(),
            namespace: names::run_namespace(RUN),
            clusters: Vec::new(),
        };
        let ledger = Ledger::create(&directory.path().join("ledger.jsonl"), &header).unwrap();
        Self {
            fake,
            cluster,
            ledger,
            directory,
        }
    }

    async fn try_to_define(
        &self,
        crd: &Value,
        carry: Carry,
    ) -> Result<ImportedObject, ClusterError> {
        define(&self.cluster, &self.ledger, RUN, crd, carry).await
    }

    async fn define(&self, crd: &Value) -> ImportedObject {
        self.try_to_define(crd, Carry::Real).await.unwrap()
    }

    fn outstanding(&self) -> Vec<Outstanding> {
        let path = self.directory.path().join("ledger.jsonl");
        ledger::read(&path).unwrap().outstanding(CLUSTER_UID)
    }
}

fn crd() -> Value {
    tool::crd().unwrap()
}

fn place() -> String {
    path_of(&ObjectId::of_definition(tool::CRD_NAME))
}

fn stored(mut crd: Value) -> Value {
    crd["metadata"]["uid"] = "uid-of-another".into();
    crd["status"] = json!({"acceptedNames": {}});
    crd
}

#[tokio::test]
async fn the_request_is_the_very_bytes_of_the_bundle_and_the_ledger_knows_what_was_created() {
    let bench = Bench::new().await;
    let defined = bench.define(&crd()).await;
    let sent = canonical::to_bytes(&crd()).unwrap();
    assert_eq!(bench.fake.bodies(), [String::from_utf8(sent).unwrap()]);
    assert_eq!(defined.outcome, ImportOutcome::Created);
    assert_eq!(defined.source, defined.request);
    assert_eq!(defined.source, defined.admitted);
    let [outstanding] = bench.outstanding().try_into().unwrap();
    assert_eq!(outstanding.object, ObjectId::of_definition(tool::CRD_NAME));
    let live = bench.fake.object(&place()).unwrap();
    assert_eq!(outstanding.uid.as_deref(), live["metadata"]["uid"].as_str());
}

#[tokio::test]
async fn what_is_created_names_the_run_and_may_hold_no_member_that_the_server_does_not_know() {
    let bench = Bench::new().await;
    bench.define(&crd()).await;
    let query = bench.fake.queries().pop().unwrap();
    assert_eq!(query["fieldManager"], names::run_field_manager(RUN));
    assert_eq!(query["fieldValidation"], "Strict");
}

#[tokio::test]
async fn what_admission_made_of_it_shows_in_the_admitted_digest() {
    let bench = Bench::new().await;
    bench.fake.admit_with_label("injected", "yes");
    let defined = bench.define(&crd()).await;
    assert_eq!(defined.outcome, ImportOutcome::Created);
    assert_eq!(defined.source, defined.request);
    assert_ne!(defined.source, defined.admitted);
}

#[tokio::test]
async fn a_dry_run_leaves_cluster_and_ledger_as_they_were() {
    let bench = Bench::new().await;
    let tried = bench.try_to_define(&crd(), Carry::DryRun).await.unwrap();
    assert_eq!(tried.outcome, ImportOutcome::Created);
    assert!(!bench.fake.holds(&place()));
    assert!(bench.outstanding().is_empty());
}

#[tokio::test]
async fn the_same_definition_is_present_and_another_one_a_conflict_and_nothing_is_sent() {
    let mut other = crd();
    other["spec"]["scope"] = "Cluster".into();
    for (there, outcome) in [
        (crd(), ImportOutcome::Present),
        (other, ImportOutcome::Conflict),
    ] {
        let bench = Bench::new().await;
        bench.fake.put(&place(), stored(there.clone()));
        let defined = bench.define(&crd()).await;
        assert_eq!((defined.outcome, defined.request), (outcome, None));
        assert_eq!(defined.admitted, projection::digest(&there).ok());
        assert!(bench.fake.changes().is_empty());
        assert!(bench.outstanding().is_empty());
    }
}

#[tokio::test]
async fn one_that_is_being_deleted_is_waited_for_and_created_anew() {
    let bench = Bench::new().await;
    let mut leaving = stored(crd());
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    bench.fake.put(&place(), leaving);
    let (crd, path) = (crd(), place());
    let finish = async {
        tokio::time::sleep(PAUSE * 3).await;
        bench.fake.finish(&path);
    };
    let (defined, ()) = tokio::join!(bench.define(&crd), finish);
    assert_eq!(defined.outcome, ImportOutcome::Created);
}

#[tokio::test]
async fn definitions_of_others_and_members_of_a_server_are_refused_before_anything_is_sent() {
    let bench = Bench::new().await;
    let mut foreign = crd();
    foreign["metadata"]["name"] = "gateways.gateway.networking.k8s.io".into();
    let mut held = crd();
    held["metadata"]["finalizers"] = json!(["example.org/never"]);
    for crd in [foreign, held] {
        let defined = bench.define(&crd).await;
        assert_eq!(defined.outcome, ImportOutcome::Refused);
        assert_eq!(defined.object, ImportedObject::name_of(&crd));
    }
    assert!(bench.fake.changes().is_empty());
}

#[tokio::test]
async fn what_the_api_server_finds_invalid_is_refused_in_its_words() {
    let bench = Bench::new().await;
    let collection = COLLECTION.to_owned();
    bench.fake.refuse(&collection, &[422]);
    let defined = bench.define(&crd()).await;
    assert_eq!(defined.outcome, ImportOutcome::Refused);
    assert_eq!(defined.reason, "the fake says Planned");
}

#[tokio::test]
async fn a_missing_right_and_a_server_in_trouble_say_nothing_about_the_definition() {
    for status in [401, 403, 500] {
        let bench = Bench::new().await;
        bench.fake.refuse(COLLECTION, &[status]);
        let error = bench.try_to_define(&crd(), Carry::Real).await.unwrap_err();
        assert!(
            matches!(error, ClusterError::Refused { code, .. } if code == status),
            "{error}"
        );
        assert_eq!(bench.outstanding()[0].uid, None);
    }
}

#[tokio::test]
async fn a_lost_race_ends_with_what_the_winner_left() {
    let bench = Bench::new().await;
    bench.fake.refuse(COLLECTION, &[409]);
    let defined = bench.define(&crd()).await;
    assert_eq!(defined.outcome, ImportOutcome::Refused);
    assert!(defined.reason.contains("for a moment"));
}
