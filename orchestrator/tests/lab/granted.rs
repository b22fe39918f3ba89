//! People with exactly the rights that `portproof rbac print --of run` prints, on clusters that are there already.

use crate::scenarios::program;
use futures::FutureExt as _;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{DeleteParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use portproof::lab::paths::LabPaths;
use portproof::verify::Role;
use serde_json::json;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

const PERSON: &str = "somebody-who-runs-portproof";

/// The owner of one cluster, who grants rights and takes them back.
struct Owner {
    client: Client,
    kubeconfig: Kubeconfig,
}

impl Owner {
    async fn of(role: &str) -> Self {
        let file = LabPaths::from_environment().kubeconfig(&Role::new(role).unwrap());
        let kubeconfig = Kubeconfig::read_from(file).unwrap();
        let options = KubeConfigOptions::default();
        let mut config = Config::from_custom_kubeconfig(kubeconfig.clone(), &options)
            .await
            .unwrap();
        config.proxy_url = None;
        Self {
            client: Client::try_from(config).unwrap(),
            kubeconfig,
        }
    }

    async fn grant(&self) {
        let role = printed();
        let name = role.metadata.name.clone().unwrap();
        let binding = serde_json::from_value(json!({
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": PERSON}],
        }));
        let how = PostParams::default();
        self.roles().create(&how, &role).await.unwrap();
        self.bindings()
            .create(&how, &binding.unwrap())
            .await
            .unwrap();
    }

    async fn take_back(&self) {
        let (name, how) = (printed().metadata.name.unwrap(), DeleteParams::default());
        let _ = self.bindings().delete(&name, &how).await;
        let _ = self.roles().delete(&name, &how).await;
    }

    fn roles(&self) -> Api<ClusterRole> {
        Api::all(self.client.clone())
    }

    fn bindings(&self) -> Api<ClusterRoleBinding> {
        Api::all(self.client.clone())
    }

    /// Writes a kubeconfig by which one is that person and nobody else.
    fn introduce(&self, file: &Path) {
        let mut own = self.kubeconfig.clone();
        for user in own
            .auth_infos
            .iter_mut()
            .filter_map(|it| it.auth_info.as_mut())
        {
            user.impersonate = Some(PERSON.to_owned());
        }
        std::fs::write(file, serde_json::to_string(&own).unwrap()).unwrap();
    }

    fn context(&self) -> &str {
        &self.kubeconfig.contexts[0].name
    }
}

fn printed() -> ClusterRole {
    let printed = Command::new(program())
        .args(["rbac", "print", "--of", "run"])
        .output()
        .unwrap();
    assert!(printed.status.success());
    serde_saphyr::from_str(std::str::from_utf8(&printed.stdout).unwrap()).unwrap()
}

/// The line of a scenario that names a cluster, seen by a person with the printed rights.
pub(crate) struct Granted {
    /// What stands behind `a:` and `b:`.
    pub(crate) clusters: [String; 2],
}

/// Gives somebody the printed rights on both clusters for as long as the test takes.
pub(crate) async fn with_printed_rights<T>(
    directory: &Path,
    classes: [&str; 2],
    test: impl AsyncFnOnce(Granted) -> T,
) -> T {
    let owners = [Owner::of("a").await, Owner::of("b").await];
    let described = [0, 1].map(|at| {
        let file: PathBuf = directory.join(format!("kubeconfig-{at}"));
        owners[at].introduce(&file);
        let (file, context) = (file.display(), owners[at].context());
        let class = classes[at];
        format!("{{existing: {{kubeconfig: {file}, context: {context}, gatewayClass: {class}}}}}")
    });
    for owner in &owners {
        owner.take_back().await;
        owner.grant().await;
    }
    let granted = Granted {
        clusters: described,
    };
    let outcome = AssertUnwindSafe(test(granted)).catch_unwind().await;
    for owner in &owners {
        owner.take_back().await;
    }
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}
