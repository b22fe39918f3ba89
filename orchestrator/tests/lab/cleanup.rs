//! Clean-up on a real API server: what a run created goes, what others created stays.

use jiff::Timestamp;
use portproof::cluster::{Cluster, ClusterAccess, ObjectId, cleanup, create, find_runs};
use portproof::lab::paths::LabPaths;
use portproof::ledger::{self, FORMAT, Ledger, LedgerHeader};
use portproof::provider::{ProviderError, check_identities};
use portproof::run::id::RunId;
use portproof::verify::Role;
use portproof_proto::names::RUN_LABEL;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

const RBAC: &str = "rbac.authorization.k8s.io/v1";
const DEADLINE: Duration = Duration::from_mins(1);

async fn connect(role: &str) -> Cluster {
    let role = Role::new(role).unwrap();
    let access = ClusterAccess {
        kubeconfig: LabPaths::from_environment().kubeconfig(&role),
        context: None,
    };
    Cluster::connect(role, access).await.unwrap()
}

/// A run of a test: its id, its ledger and the directory that holds it.
struct Run {
    id: RunId,
    path: PathBuf,
    ledger: Ledger,
    _directory: tempfile::TempDir,
}

impl Run {
    fn new(random: u64) -> Self {
        let id = RunId::new(
            Timestamp::now(),
            u64::from(std::process::id()) << 2 | random,
        );
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.jsonl");
        let header = LedgerHeader {
            format: FORMAT,
            run_id: id.to_string(),
            namespace: id.namespace(),
            clusters: Vec::new(),
        };
        Self {
            ledger: Ledger::create(&path, &header).unwrap(),
            id,
            path,
            _directory: directory,
        }
    }

    fn object(&self, api_version: &str, kind: &str, name: &str, more: Value) -> Value {
        let mut object = json!({
            "apiVersion": api_version, "kind": kind,
            "metadata": {"name": name, "labels": {RUN_LABEL: self.id.as_str()}},
        });
        let namespaced = ["ServiceAccount", "ConfigMap", "Deployment"].contains(&kind);
        if namespaced {
            object["metadata"]["namespace"] = self.id.namespace().into();
        }
        if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
            object.extend(more);
        }
        object
    }

    async fn create(&self, cluster: &Cluster, object: Value) -> String {
        create(cluster, &self.ledger, object).await.unwrap()
    }

    async fn provision(&self, cluster: &Cluster) {
        let name = self.id.namespace();
        let reference = json!({
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        });
        for object in [
            self.object("v1", "Namespace", &name, json!({})),
            self.object("v1", "ServiceAccount", "control", json!({})),
            self.object(RBAC, "ClusterRole", &name, json!({"rules": []})),
            self.object(RBAC, "ClusterRoleBinding", &name, reference),
            self.object("v1", "ConfigMap", "any", json!({"data": {"key": "value"}})),
            definition(&name),
        ] {
            self.create(cluster, object).await;
        }
    }

    /// Cleans up as another process would: by what the ledger says, and by nothing in memory.
    async fn clean(&self, cluster: &Cluster) -> portproof::cluster::CleanupReport {
        let outstanding = ledger::read(&self.path).unwrap().outstanding(cluster.uid());
        let ledger = Ledger::open(&self.path).unwrap();
        cleanup(
            cluster,
            self.id.as_str(),
            outstanding,
            Some(&ledger),
            DEADLINE,
        )
        .await
    }
}

/// A definition that bears no label, as carried ones do not.
fn definition(run_namespace: &str) -> Value {
    let group = format!("{run_namespace}.example.org");
    let schema = json!({"openAPIV3Schema": {"type": "object"}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("widgets.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}],
        },
    })
}

async fn is_found(cluster: &Cluster, run: &Run) -> bool {
    let found = find_runs(cluster).await.unwrap();
    found.iter().any(|it| it.run == run.id.as_str())
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn the_two_clusters_of_the_lab_are_told_apart() {
    let (a, b) = (connect("a").await, connect("b").await);
    assert_eq!(check_identities(&[a.clone(), b], false), Ok(()));
    assert!(a.version().starts_with("v1."));
    let again = connect("a").await;
    assert!(matches!(
        check_identities(&[a, again], false),
        Err(ProviderError::SameCluster { .. })
    ));
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn all_that_a_run_created_goes_and_another_run_stays() {
    let cluster = connect("a").await;
    let (run, other) = (Run::new(0), Run::new(1));
    run.provision(&cluster).await;
    other.provision(&cluster).await;
    let report = run.clean(&cluster).await;
    assert_eq!(
        (report.removed, &report.left[..], &report.kept[..]),
        (6, &[][..], &[][..])
    );
    assert!(!is_found(&cluster, &run).await);
    assert!(is_found(&cluster, &other).await);
    assert_eq!(run.clean(&cluster).await.removed, 0);
    assert_eq!(other.clean(&cluster).await.removed, 6);
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_run_is_removed_without_its_ledger() {
    let cluster = connect("b").await;
    let run = Run::new(2);
    run.provision(&cluster).await;
    let found = find_runs(&cluster).await.unwrap();
    let found = found
        .into_iter()
        .find(|it| it.run == run.id.as_str())
        .unwrap();
    assert_eq!(found.objects.len(), 3);
    let report = cleanup(&cluster, &found.run, found.objects, None, DEADLINE).await;
    assert_eq!((report.removed, &report.left[..]), (3, &[][..]));
    assert!(!is_found(&cluster, &run).await);
    // The rest of the ledger: what was in the namespace is gone, the definition bears no mark of the run but its UID.
    assert_eq!(run.clean(&cluster).await.removed, 6);
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_run_that_was_killed_between_asking_and_recording_is_removed() {
    let cluster = connect("b").await;
    let (run, torn) = (Run::new(3), Run::new(3));
    run.provision(&cluster).await;
    let name = run.id.namespace();
    let role = ObjectId::cluster_scoped(RBAC, "ClusterRole", &name);
    let binding = ObjectId::cluster_scoped(RBAC, "ClusterRoleBinding", &name);
    for intent in [ObjectId::of_namespace(&name), role, binding] {
        torn.ledger.intend(cluster.uid(), &intent).unwrap();
    }
    let outstanding = ledger::read(&torn.path).unwrap().outstanding(cluster.uid());
    let report = cleanup(&cluster, run.id.as_str(), outstanding, None, DEADLINE).await;
    assert_eq!((report.removed, &report.left[..]), (3, &[][..]));
    assert!(!is_found(&cluster, &run).await);
    assert_eq!(run.clean(&cluster).await.removed, 6);
}
