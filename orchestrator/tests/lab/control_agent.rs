//! Bootstrap on a real cluster and the first words with the agent it starts: through the API server's port-forward and
//! the certificates of the run.

use super::stack_image;
use crate::scenarios::repository;
use futures::FutureExt as _;
use jiff::Timestamp;
use portproof::cluster::{
    Bootstrap, Carry, Cluster, ClusterAccess, ClusterError, Secrets, UpstreamAccess, bootstrap,
    cleanup, define, dial_pod, find_runs,
};
use portproof::lab::paths::LabPaths;
use portproof::ledger::{self, FORMAT, Ledger, LedgerHeader};
use portproof::rpc::{self, AgentClient, Credentials, RpcError, RunAuthority};
use portproof::run::id::RunId;
use portproof::transfer;
use portproof::verify::Role;
use portproof_proto::names;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_mins(1);

/// One run on one cluster of the lab.
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) cluster: Cluster,
    ledger: Ledger,
    authority: RunAuthority,
    directory: tempfile::TempDir,
}

impl Run {
    async fn on(role: &str) -> Self {
        let role = Role::new(role).unwrap();
        let access = ClusterAccess {
            kubeconfig: LabPaths::from_environment().kubeconfig(&role),
            context: None,
        };
        let cluster = Cluster::connect(role, access).await.unwrap();
        let id = RunId::new(
            Timestamp::now(),
            Timestamp::now().subsec_nanosecond().unsigned_abs().into(),
        );
        let directory = tempfile::tempdir().unwrap();
        let header = LedgerHeader {
            format: FORMAT,
            run_id: id.to_string(),
            namespace: id.namespace(),
            clusters: Vec::new(),
        };
        Self {
            ledger: Ledger::create(&directory.path().join("ledger.jsonl"), &header).unwrap(),
            authority: RunAuthority::new(id.as_str()).unwrap(),
            id,
            cluster,
            directory,
        }
    }

    pub(crate) async fn bootstrap(&self, image: &str) -> Result<String, ClusterError> {
        let role = self.cluster.role().as_str();
        let plan = Bootstrap {
            run: self.id.to_string(),
            role: role.to_owned(),
            namespace: self.id.namespace(),
            cluster_uid: self.cluster.uid().to_owned(),
            image: image.to_owned(),
            image_pull_policy: "Never".to_owned(),
            began: Timestamp::now(),
        };
        let secrets = Secrets {
            agent: &self.authority.server(role).unwrap(),
            upstream: &UpstreamAccess::default(),
        };
        bootstrap(&self.cluster, &self.ledger, &plan, &secrets, DEADLINE).await
    }

    /// Bootstraps and speaks to the agent.
    pub(crate) async fn agent(&self) -> AgentClient {
        let pod = self.bootstrap(&stack_image().await).await.unwrap();
        let own = self.authority.client().unwrap();
        self.connect(&pod, &own).await.unwrap()
    }

    /// Puts the tools that ship with portproof into the run's namespace, their definition first.
    pub(crate) async fn seed(&self, agent: &AgentClient) {
        let fixtures =
            ["tools", "documents"].map(|it| repository().join("scenarios/fixtures").join(it));
        let bundle = transfer::load_fixtures(&fixtures, &self.id.namespace()).unwrap();
        for crd in &bundle.crds {
            let run = self.id.as_str();
            define(&self.cluster, &self.ledger, run, crd, Carry::Real)
                .await
                .unwrap();
        }
        agent.import(&bundle, false).await.unwrap();
    }

    async fn connect(&self, pod: &str, who: &Credentials) -> Result<AgentClient, RpcError> {
        let namespace = self.id.namespace();
        let dial = dial_pod(&self.cluster, &namespace, pod, names::CONTROL_PORT);
        rpc::connect(self.id.as_str(), self.cluster.role().as_str(), who, dial).await
    }

    /// Removes everything and proves that nothing is left.
    async fn end(self) {
        let path = self.directory.path().join("ledger.jsonl");
        let outstanding = ledger::read(&path).unwrap().outstanding(self.cluster.uid());
        let run = self.id.as_str();
        let report = cleanup(
            &self.cluster,
            run,
            outstanding,
            Some(&self.ledger),
            DEADLINE,
        )
        .await;
        assert_eq!((&report.left[..], &report.kept[..]), (&[][..], &[][..]));
        assert!(
            ledger::read(&path)
                .unwrap()
                .outstanding(self.cluster.uid())
                .is_empty()
        );
        let found = find_runs(&self.cluster).await.unwrap();
        assert!(found.iter().all(|it| it.run != run));
    }
}

/// Gives a test a run on a cluster and removes it afterwards, also when the test failed.
pub(crate) async fn with_run<T>(role: &str, test: impl AsyncFnOnce(&Run) -> T) {
    let run = Run::on(role).await;
    let outcome = AssertUnwindSafe(test(&run)).catch_unwind().await;
    run.end().await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn the_agent_of_a_run_is_reached_through_the_api_server_and_knows_where_it_stands() {
    with_run("a", async |run| {
        let pod = run.bootstrap(&stack_image().await).await.unwrap();
        let own = run.authority.client().unwrap();
        let agent = run.connect(&pod, &own).await.unwrap();
        let described = agent.describe().await.unwrap();
        assert_eq!(described.run_id, run.id.as_str());
        assert_eq!(described.role, "a");
        assert_eq!(described.cluster_uid, run.cluster.uid());
        assert_eq!(described.kubernetes_version, run.cluster.version());
        assert!(described.runtime_classes.contains(&"gvisor".to_owned()));
        agent.relay().await.unwrap();
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn the_agent_refuses_whoever_shows_a_certificate_of_another_authority() {
    with_run("b", async |run| {
        let pod = run.bootstrap(&stack_image().await).await.unwrap();
        let own = run.authority.client().unwrap();
        let other = RunAuthority::new(run.id.as_str()).unwrap();
        let stranger = Credentials {
            authority: own.authority.clone(),
            ..other.client().unwrap()
        };
        let refused = match run.connect(&pod, &stranger).await {
            Ok(agent) => agent.describe().await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert!(refused.unwrap_err().is_infrastructure());
        let agent = run.connect(&pod, &own).await.unwrap();
        agent.describe().await.unwrap();
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn an_image_that_no_node_has_is_told_long_before_the_deadline() {
    with_run("b", async |run| {
        let began = Instant::now();
        let outcome = run.bootstrap("docker.io/portproof/absent:1").await;
        let error = outcome.unwrap_err();
        assert!(began.elapsed() < DEADLINE / 2);
        assert!(error.to_string().contains("ErrImageNeverPull"), "{error}");
    })
    .await;
}
