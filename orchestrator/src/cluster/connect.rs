//! How a cluster is reached, and which one it is.

use super::error::ClusterError;
use crate::verify::Role;
use k8s_openapi::api::core::v1::Namespace;
use kube::config::{ExecInteractiveMode, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Api, Client, Config};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Every call to an API server ends within this time.
pub(crate) const CALL_DEADLINE: Duration = Duration::from_secs(10);
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const IDENTITY_NAMESPACE: &str = "kube-system";

/// Where the credentials of a cluster are. Neither `$KUBECONFIG` nor `~/.kube/config` is ever looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterAccess {
    /// The kubeconfig.
    pub kubeconfig: PathBuf,
    /// The context in it; may be left out where the file has only one.
    pub context: Option<String>,
}

/// A cluster that answered and whose identity is fixed. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    role: Role,
    uid: String,
    version: String,
    access: ClusterAccess,
    client: Client,
}

impl Cluster {
    /// Reaches a cluster and reads who it is: the UID of its `kube-system` namespace, which lives as long as the cluster
    /// does, and the version of its API server.
    ///
    /// # Errors
    /// When the kubeconfig is unusable, or the API server does not answer or refuses.
    pub async fn connect(role: Role, access: ClusterAccess) -> Result<Self, ClusterError> {
        let (config, access) = load(&role, access).await?;
        let client = Client::try_from(config)
            .map_err(|source| ClusterError::from_client(&role, "set up the client", source))?;
        let mut cluster = Self {
            role,
            uid: String::new(),
            version: String::new(),
            access,
            client,
        };
        cluster.version = cluster.read_version().await?;
        cluster.uid = cluster.read_uid().await?;
        Ok(cluster)
    }

    /// Its name in the scenario.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// Its identity: the UID of its `kube-system` namespace.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// Version of its API server, for example `v1.34.2`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How it was reached; the context is always named.
    pub fn access(&self) -> &ClusterAccess {
        &self.access
    }

    /// The client, for this room only.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Runs one call under the deadline that every call has; `call` says what it does.
    pub(crate) async fn call<T>(
        &self,
        call: &str,
        work: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, ClusterError> {
        match tokio::time::timeout(CALL_DEADLINE, work).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(source)) => Err(ClusterError::from_client(&self.role, call, source)),
            Err(_) => Err(ClusterError::Timeout {
                role: self.role.clone(),
                call: call.to_owned(),
                after: CALL_DEADLINE,
            }),
        }
    }

    async fn read_version(&self) -> Result<String, ClusterError> {
        let info = self
            .call("read the server version", self.client.apiserver_version())
            .await?;
        Ok(info.git_version)
    }

    async fn read_uid(&self) -> Result<String, ClusterError> {
        let call = "read the namespace kube-system";
        let namespaces: Api<Namespace> = Api::all(self.client());
        let namespace = self.call(call, namespaces.get(IDENTITY_NAMESPACE)).await?;
        namespace
            .metadata
            .uid
            .ok_or_else(|| ClusterError::Incomplete {
                role: self.role.clone(),
                call: call.to_owned(),
                field: "metadata.uid",
            })
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("role", &self.role)
            .field("uid", &self.uid)
            .field("version", &self.version)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

async fn load(role: &Role, access: ClusterAccess) -> Result<(Config, ClusterAccess), ClusterError> {
    let unusable = |source: KubeconfigError| ClusterError::Kubeconfig {
        role: role.clone(),
        path: access.kubeconfig.clone(),
        source: Box::new(source),
    };
    let mut file = read(&access.kubeconfig).map_err(unusable)?;
    never_prompt(&mut file);
    let context = choose_context(role, &access, &file)?;
    let proxied = names_a_proxy(&file, &context);
    let options = KubeConfigOptions {
        context: Some(context.clone()),
        ..KubeConfigOptions::default()
    };
    let mut config = Config::from_custom_kubeconfig(file, &options)
        .await
        .map_err(unusable)?;
    if !proxied {
        // The loader falls back to HTTPS_PROXY without regard to NO_PROXY; that is ambient, and wrong for local clusters.
        config.proxy_url = None;
    }
    config.connect_timeout = Some(CONNECT_DEADLINE);
    let kubeconfig = absolute(&access.kubeconfig);
    let context = Some(context);
    Ok((
        config,
        ClusterAccess {
            kubeconfig,
            context,
        },
    ))
}

/// The ledger outlives the working directory of the process that wrote it.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The client panics at a UTF-16 file that ends within a unit, so such a file never gets there.
fn read(path: &Path) -> Result<Kubeconfig, KubeconfigError> {
    let unreadable = |source| KubeconfigError::ReadConfig(source, path.to_owned());
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let is_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    if is_utf16 && !bytes.len().is_multiple_of(2) {
        let torn = std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            "UTF-16 that ends too early",
        );
        return Err(unreadable(torn));
    }
    Kubeconfig::read_from(path)
}

/// A credential plugin inherits stdin unless told not to, and then waits for a person who is not there.
fn never_prompt(file: &mut Kubeconfig) {
    let users = file.auth_infos.iter_mut();
    let plugins = users.filter_map(|user| user.auth_info.as_mut()?.exec.as_mut());
    for plugin in plugins {
        plugin.interactive_mode = Some(ExecInteractiveMode::Never);
    }
}

fn choose_context(
    role: &Role,
    access: &ClusterAccess,
    file: &Kubeconfig,
) -> Result<String, ClusterError> {
    let known: Vec<String> = file.contexts.iter().map(|it| it.name.clone()).collect();
    let path = access.kubeconfig.clone();
    let role = role.clone();
    match (&access.context, known.as_slice()) {
        (Some(context), _) if known.contains(context) => Ok(context.clone()),
        (Some(context), _) => Err(ClusterError::ContextUnknown {
            role,
            context: context.clone(),
            path,
            known,
        }),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(ClusterError::ContextNotNamed { role, path, known }),
    }
}

fn names_a_proxy(file: &Kubeconfig, context: &str) -> bool {
    let context = file.contexts.iter().find(|it| it.name == context);
    let Some(cluster) = context.and_then(|it| Some(&it.context.as_ref()?.cluster)) else {
        return false;
    };
    file.clusters
        .iter()
        .filter(|it| &it.name == cluster)
        .filter_map(|it| it.cluster.as_ref()?.proxy_url.as_ref())
        .any(|url| !url.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn role() -> Role {
        Role::new("a").unwrap()
    }

    fn kubeconfig(contexts: &[&str], proxy: Option<&str>) -> tempfile::NamedTempFile {
        let contexts: Vec<_> = contexts
            .iter()
            .map(|name| json!({"name": name, "context": {"cluster": "one", "user": "one"}}))
            .collect();
        let plugin = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "true"});
        let content = json!({
            "apiVersion": "v1", "kind": "Config", "contexts": contexts,
            "current-context": "second",
            "clusters": [{"name": "one", "cluster": {"server": "http://127.0.0.1:1", "proxy-url": proxy}}],
            "users": [{"name": "one", "user": {"exec": plugin}}],
        });
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), content.to_string()).unwrap();
        file
    }

    fn access(file: &tempfile::NamedTempFile, context: Option<&str>) -> ClusterAccess {
        ClusterAccess {
            kubeconfig: file.path().to_owned(),
            context: context.map(str::to_owned),
        }
    }

    #[tokio::test]
    async fn the_current_context_is_never_used_just_because_it_is_current() {
        let file = kubeconfig(&["first", "second"], None);
        let error = load(&role(), access(&file, None)).await.unwrap_err();
        assert!(error.hint().unwrap().contains("first, second"));
        assert!(matches!(error, ClusterError::ContextNotNamed { .. }));
    }

    #[tokio::test]
    async fn the_only_context_of_a_file_need_not_be_named_and_is_recorded() {
        let file = kubeconfig(&["first"], None);
        let (_, access) = load(&role(), access(&file, None)).await.unwrap();
        assert_eq!(access.context.as_deref(), Some("first"));
    }

    #[tokio::test]
    async fn a_context_that_is_not_there_is_named_together_with_those_that_are() {
        let file = kubeconfig(&["first", "second"], None);
        let error = load(&role(), access(&file, Some("third")))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("`third`"));
        assert!(error.hint().unwrap().contains("first, second"));
    }

    #[tokio::test]
    async fn only_a_proxy_that_the_kubeconfig_names_is_used() {
        let file = kubeconfig(&["first"], Some("http://127.0.0.1:2"));
        let (config, _) = load(&role(), access(&file, None)).await.unwrap();
        assert_eq!(config.proxy_url.unwrap(), "http://127.0.0.1:2");
        let direct = kubeconfig(&["first"], None);
        let parsed = Kubeconfig::read_from(direct.path()).unwrap();
        assert!(!names_a_proxy(&parsed, "first"));
    }

    #[tokio::test]
    async fn a_credential_plugin_is_told_not_to_ask_a_person() {
        let file = kubeconfig(&["first"], None);
        let (config, _) = load(&role(), access(&file, None)).await.unwrap();
        let plugin = config.auth_info.exec.unwrap();
        assert!(matches!(
            plugin.interactive_mode,
            Some(ExecInteractiveMode::Never)
        ));
    }

    #[tokio::test]
    async fn a_kubeconfig_that_is_not_there_is_a_usage_error() {
        let access = ClusterAccess {
            kubeconfig: PathBuf::from("/nowhere/kubeconfig"),
            context: None,
        };
        let error = Cluster::connect(role(), access).await.unwrap_err();
        assert_eq!(error.exit(), crate::exit::Exit::Usage);
        assert!(error.to_string().contains("/nowhere/kubeconfig"));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_an_infrastructure_error() {
        let server = crate::cluster::fake::kubeconfig_for("http://127.0.0.1:1");
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), server).unwrap();
        let error = Cluster::connect(role(), access(&file, None))
            .await
            .unwrap_err();
        assert_eq!(error.exit(), crate::exit::Exit::Infrastructure);
    }
}
