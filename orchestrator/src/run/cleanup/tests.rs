use super::super::dispatcher;
use super::*;
use crate::cluster::ObjectId;
use crate::cluster::fake::{FakeApi, path_of};
use crate::ledger::{FORMAT, LedgerHeader};
use crate::provider::{ImagePullPolicy, Resolved};
use crate::rpc::fake_agent::{Script, connected};
use jiff::Timestamp;
use portproof_proto::names::RUN_LABEL;
use portproof_proto::v1;
use serde_json::json;

/// One run that has created its namespace and a Secret in it on one cluster.
struct Scene {
    run: RunId,
    directory: RunDirectory,
    ledger: Ledger,
    api: FakeApi,
    clusters: Vec<Reached>,
    _root: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let run = RunId::new(Timestamp::UNIX_EPOCH, 7);
        let directory = RunDirectory::create(root.path(), &run).unwrap();
        let header = LedgerHeader {
            format: FORMAT,
            run_id: run.to_string(),
            namespace: run.namespace(),
            clusters: Vec::new(),
        };
        let ledger = Ledger::create(&directory.ledger(), &header).unwrap();
        let (api, cluster) = FakeApi::start().await;
        for object in [
            json!({"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": run.namespace(), "labels": {RUN_LABEL: run.as_str()}}}),
            json!({"apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": "tls", "namespace": run.namespace(), "labels": {RUN_LABEL: run.as_str()}}}),
        ] {
            cluster::create(&cluster, &ledger, object).await.unwrap();
        }
        Self {
            clusters: vec![reached(cluster)],
            run,
            directory,
            ledger,
            api,
            _root: root,
        }
    }

    async fn session(&self, script: Script) -> Session {
        let agent = connected(script).await.unwrap();
        Session {
            role: Role::new("a").unwrap(),
            cluster: self.clusters[0].cluster.clone(),
            relay: agent.relay().await.unwrap(),
            agent,
            gateway_class: "traefik".to_owned(),
            image_pull_policy: "Never".to_owned(),
        }
    }

    /// Cleans up, with an agent that answers as scripted or with none; what was done and what the log was told.
    async fn clean(&self, script: Option<Script>, stop: &Stop) -> (Cleaned, EventKind) {
        let mut sessions = Sessions::new();
        if let Some(script) = script {
            let session = self.session(script).await;
            sessions.insert(session.role.clone(), session);
        }
        let (events, mut told) = dispatcher::channel();
        let clean_up = CleanUp {
            run: &self.run,
            directory: &self.directory,
            ledger: &self.ledger,
            clusters: &self.clusters,
            sessions,
            stop,
            events: &events,
        };
        let cleaned = clean_up.run().await;
        assert_eq!(told.recv().await, Some(EventKind::CleanupStarted));
        (cleaned, told.recv().await.unwrap())
    }

    fn namespace_is_there(&self) -> bool {
        let namespace = ObjectId::of_namespace(&self.run.namespace());
        self.api.holds(&path_of(&namespace))
    }
}

fn reached(cluster: Cluster) -> Reached {
    let resolved = Resolved {
        role: cluster.role().clone(),
        access: cluster.access().clone(),
        gateway_class: "traefik".to_owned(),
        provider: "existing",
        image_pull_policy: ImagePullPolicy::Never,
    };
    Reached { cluster, resolved }
}

fn event(name: &str, outcome: v1::teardown_event::Outcome) -> v1::TeardownEvent {
    let object = v1::ObjectRef {
        kind: "Deployment".into(),
        name: name.into(),
        ..v1::ObjectRef::default()
    };
    let mut event = v1::TeardownEvent {
        object: Some(object),
        reason: "another one is there".into(),
        ..v1::TeardownEvent::default()
    };
    event.set_outcome(outcome);
    event
}

#[tokio::test]
async fn the_agent_takes_its_part_down_and_the_ledger_the_rest_and_both_are_counted() {
    use v1::teardown_event::Outcome::{Absent, Deleted, Kept};
    let scene = Scene::new().await;
    let script = Script {
        teardown: Some(vec![
            event("agent", Deleted),
            event("model", Deleted),
            event("gone", Absent),
            event("other", Kept),
        ]),
        ..Script::default()
    };
    let (cleaned, told) = scene.clean(Some(script), &Stop::default()).await;
    assert_eq!((cleaned.by_agent, cleaned.removed), (2, 2));
    assert_eq!(
        cleaned.notes,
        ["a: the control agent kept Deployment/other: another one is there"]
    );
    assert!(cleaned.left.is_empty() && !scene.namespace_is_there());
    assert!(matches!(
        told,
        EventKind::CleanupFinished {
            by_agent: 2,
            removed: 2,
            ..
        }
    ));
}

#[tokio::test]
async fn an_agent_that_refuses_leaves_all_of_it_to_the_ledger() {
    let scene = Scene::new().await;
    let (cleaned, _) = scene.clean(Some(Script::default()), &Stop::default()).await;
    assert_eq!((cleaned.by_agent, cleaned.removed), (0, 2));
    assert!(cleaned.notes[0].contains("the ledger alone did it"));
    assert!(cleaned.notes[0].contains("not scripted"), "{cleaned:?}");
    assert!(cleaned.left.is_empty() && !scene.namespace_is_there());
}

#[tokio::test]
async fn a_run_that_never_spoke_to_an_agent_is_cleaned_by_its_ledger() {
    let scene = Scene::new().await;
    let (cleaned, _) = scene.clean(None, &Stop::default()).await;
    assert_eq!(
        cleaned,
        Cleaned {
            removed: 2,
            ..Cleaned::default()
        }
    );
    assert!(!scene.namespace_is_there());
}

#[tokio::test]
async fn an_agent_that_falls_silent_is_not_waited_for_without_end() {
    let scene = Scene::new().await;
    let script = Script {
        teardown: Some(Vec::new()),
        teardown_hangs: true,
        ..Script::default()
    };
    let session = scene.session(script).await;
    let cleaned = teardown(session, Duration::from_millis(200)).await;
    assert_eq!(cleaned.notes.len(), 1);
    assert!(cleaned.notes[0].contains("Teardown"), "{cleaned:?}");
}

#[tokio::test]
async fn a_second_request_to_stop_removes_nothing_and_says_what_may_be_left() {
    let scene = Scene::new().await;
    let stop = Stop::default();
    stop.orderly.cancel();
    stop.at_once.cancel();
    let (cleaned, told) = scene.clean(None, &stop).await;
    assert!(scene.namespace_is_there());
    let expected = format!(
        "a: clean-up was cut short, 2 objects may be left: Namespace {}",
        scene.run.namespace()
    );
    assert_eq!(cleaned.left, [expected.as_str()]);
    let EventKind::CleanupFinished { left, .. } = told else {
        panic!("{told:?}")
    };
    assert_eq!(left, [expected.as_str()]);
}

#[test]
fn many_names_are_cut_to_the_first_few() {
    let names: Vec<String> = ('a'..='f').map(String::from).collect();
    assert_eq!(first(&names), "a, b, c, d and 2 more");
    assert_eq!(first(&names[..4]), "a, b, c, d");
}
