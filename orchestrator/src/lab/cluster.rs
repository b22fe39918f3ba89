//! Brings one cluster up: its nodes, then what makes it usable, each waited for by looking at it.

use super::addons::AddonSpec;
use super::api::ClusterApi;
use super::components::NodePlan;
use super::error::LabError;
use super::images::ImageStore;
use super::node::config::NodeConfig;
use super::paths::LabPaths;
use super::process::ProcessIdentity;
use super::proof::Subject;
use super::spec::{ClusterSpec, LabSpec, NodeSpec};
use super::state::LabState;
use super::up::LabBinaries;
use super::{addons, cgroup, files, network, pki, wait};
use crate::progress::Progress;
use futures::future::{select_all, try_join_all};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a node's init may take to say who it is.
const INIT_LIMIT: Duration = Duration::from_secs(10);
/// How long a cluster may take to be ready.
const CLUSTER_LIMIT: Duration = Duration::from_mins(2);
/// How long the add-ons of a cluster may take to work.
const ADDONS_LIMIT: Duration = Duration::from_mins(2);

/// What bringing a cluster up works with.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) paths: &'a LabPaths,
    pub(crate) state: &'a LabState,
    pub(crate) binaries: &'a LabBinaries,
    pub(crate) program: &'a Path,
    pub(crate) hierarchies: &'a cgroup::Hierarchies,
    pub(crate) progress: &'a dyn Progress,
}

impl Site<'_> {
    fn lab(&self) -> &LabSpec {
        &self.state.spec
    }

    /// Brings a cluster up, or makes sure that it is.
    ///
    /// # Errors
    /// The first thing that went wrong; what was started still runs.
    pub(crate) async fn bring_up(&self, cluster: &ClusterSpec) -> Result<(), LabError> {
        let part = format!("cluster {}", cluster.role);
        let begun = Instant::now();
        self.progress.started(&part);
        self.prepare(cluster)?;
        let nodes = cluster.nodes();
        let inits = try_join_all(nodes.iter().map(|node| self.start_node(cluster, node))).await?;
        let lost = nodes.iter().zip(&inits).map(|(node, init)| {
            Box::pin(
                async move { wait::until_lost(&node.name, init, &self.paths.node(node)).await },
            )
        });
        tokio::select! {
            ready = self.make_ready(cluster, &inits) => ready?,
            (error, ..) = select_all(lost) => return Err(error),
        }
        self.progress.finished(&part, begun.elapsed());
        Ok(())
    }

    fn prepare(&self, cluster: &ClusterSpec) -> Result<(), LabError> {
        let pki = self.paths.pki(cluster);
        files::directory(&self.paths.cluster(&cluster.role))?;
        pki::ensure(cluster, &pki)?;
        let admin = pki.join("admin.kubeconfig");
        let content = std::fs::read(&admin).map_err(LabError::io("cannot read", &admin))?;
        files::replace(
            &self.paths.kubeconfig(&cluster.role),
            files::SECRET,
            &content,
        )
    }

    async fn start_node(
        &self,
        cluster: &ClusterSpec,
        node: &NodeSpec,
    ) -> Result<ProcessIdentity, LabError> {
        let running = self.state.init(self.paths, node)?;
        let init = match running {
            Some(init) => init,
            None => self.launch(cluster, node).await?,
        };
        network::attach(self.lab(), self.paths, node, init.pid).await?;
        Ok(init)
    }

    async fn launch(
        &self,
        cluster: &ClusterSpec,
        node: &NodeSpec,
    ) -> Result<ProcessIdentity, LabError> {
        let files = self.paths.node(node);
        let procs = cgroup::create(self.hierarchies, &self.lab().cgroup(node))?;
        let config: NodeConfig = self.plan(cluster, node).prepare(procs)?;
        files::replace_json(&files.config(), &config)?;
        let mut launcher = self.spawn(node)?;
        let what = format!("the init of node {}", node.name);
        wait::until_ready(&what, INIT_LIMIT, &files.log("init"), async || {
            let gone = matches!(launcher.try_wait(), Ok(Some(_)));
            let waiting = !gone && !files.identity().exists();
            waiting.then(|| "it has not started".to_owned())
        })
        .await?;
        let init = self.state.init(self.paths, node)?;
        init.ok_or_else(|| wait::node_died(&node.name, &files))
    }

    fn plan<'b>(&'b self, cluster: &'b ClusterSpec, node: &'b NodeSpec) -> NodePlan<'b> {
        NodePlan {
            lab: self.lab(),
            cluster,
            node,
            paths: self.paths,
            binaries: &self.binaries.directory,
            program: self.program,
            pause_image: &self.binaries.pause_image,
            may_lower_oom_score: super::preflight::may_lower_oom_score(),
        }
    }

    /// The init outlives this command and its terminal, so it gets a session of its own. `--kill-child` ends it
    /// should its launcher be ended.
    fn spawn(&self, node: &NodeSpec) -> Result<Child, LabError> {
        let files = self.paths.node(node);
        let path = files.log("init");
        let open = || File::create(&path).and_then(|log| Ok((log.try_clone()?, log)));
        let (out, err) = open().map_err(LabError::io("cannot write", &path))?;
        let launch = self
            .state
            .launches
            .get(&node.name)
            .cloned()
            .unwrap_or_default();
        Command::new("setsid")
            .args([
                "unshare",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount",
                "--net",
                "--uts",
                "--ipc",
            ])
            .arg(self.program)
            .arg("lab-node-init")
            .arg(files.config())
            .arg(launch)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|source| LabError::Spawn {
                program: "setsid unshare".to_owned(),
                source,
            })
    }

    async fn make_ready(
        &self,
        cluster: &ClusterSpec,
        inits: &[ProcessIdentity],
    ) -> Result<(), LabError> {
        let nodes = cluster.nodes();
        let images = self.binaries.images_of(cluster);
        let imports = nodes.iter().zip(inits).map(|(node, init)| async {
            let store = ImageStore {
                init,
                paths: self.paths.node(node),
                binaries: &self.binaries.directory,
            };
            store.import_missing(&images).await
        });
        tokio::try_join!(try_join_all(imports), self.make_usable(cluster))?;
        Ok(())
    }

    /// Add-ons need the API server only; their pods wait for the nodes and their images by themselves.
    async fn make_usable(&self, cluster: &ClusterSpec) -> Result<(), LabError> {
        let api = ClusterApi::new(self.paths, &cluster.role).await?;
        self.wait_for_api(cluster, &api).await?;
        api.apply_runtime_class().await?;
        tokio::try_join!(
            self.wait_for_nodes(cluster, &api),
            self.furnish(cluster, &api)
        )?;
        Ok(())
    }

    async fn furnish(&self, cluster: &ClusterSpec, api: &ClusterApi) -> Result<(), LabError> {
        let Some(spec) = self.binaries.addons.get(&cluster.role) else {
            return Ok(());
        };
        let seen = self.subject(cluster, spec)?;
        if let Some(age) = seen.seen(cluster, self.paths, self.binaries.seen_within) {
            let ago = age.as_secs();
            self.progress
                .note(&format!("{}: seen to work {ago} s ago", cluster.role));
            return Ok(());
        }
        let installed = addons::install(api.client(), spec, self.progress).await;
        let working = match installed {
            Ok(()) => addons::wait_working(api.client(), spec, ADDONS_LIMIT, self.progress).await,
            failed => failed,
        };
        working.map_err(|source| LabError::Addon {
            role: cluster.role.clone(),
            source: Box::new(source),
            log: self.paths.nodes(),
        })?;
        self.subject(cluster, spec)?.keep(cluster, self.paths)
    }

    fn subject(&self, cluster: &ClusterSpec, addons: &AddonSpec) -> Result<Subject, LabError> {
        Subject::now(cluster, addons, self.state, self.paths)
    }

    async fn wait_for_api(&self, cluster: &ClusterSpec, api: &ClusterApi) -> Result<(), LabError> {
        let what = format!("the API server of cluster {}", cluster.role);
        let log = self.paths.nodes();
        wait::until_ready(&what, CLUSTER_LIMIT, &log, async || api.unready().await).await
    }

    async fn wait_for_nodes(
        &self,
        cluster: &ClusterSpec,
        api: &ClusterApi,
    ) -> Result<(), LabError> {
        let log = self.paths.nodes();
        let count = usize::from(cluster.nodes);
        let nodes = format!("the nodes of cluster {}", cluster.role);
        wait::until_ready(&nodes, CLUSTER_LIMIT, &log, async || {
            api.unready_nodes(count).await
        })
        .await?;
        let default = format!("namespace default of cluster {}", cluster.role);
        wait::until_ready(&default, CLUSTER_LIMIT, &log, async || {
            api.lacks_default_account().await
        })
        .await
    }
}
