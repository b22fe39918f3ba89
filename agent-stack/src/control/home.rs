//! Where the agent stands and for whom it works.

use super::api::{ApiError, ApiServer, Kind, text};

/// What is fixed for the life of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    /// The run it was started for.
    pub(crate) run_id: String,
    /// The cluster role (`a`, `b`).
    pub(crate) role: String,
    /// The run's namespace.
    pub(crate) namespace: String,
    /// UID of the `kube-system` namespace.
    pub(crate) cluster_uid: String,
}

/// Why the cluster's identity is unknown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HomeError {
    /// The API server said no or nothing.
    #[error("the cluster's identity could not be read")]
    Api(#[from] ApiError),
    /// A cluster without the namespace that names it.
    #[error("the cluster has no `kube-system` namespace to tell it by")]
    Nameless,
}

impl Home {
    /// Reads the cluster's identity.
    pub(crate) async fn resolve(api: &ApiServer, args: &super::Args) -> Result<Self, HomeError> {
        Ok(Self {
            run_id: args.run_id.clone(),
            role: args.role.clone(),
            namespace: args.namespace.clone(),
            cluster_uid: cluster_uid(api).await?,
        })
    }
}

/// The UID of the `kube-system` namespace, which lives as long as the cluster.
async fn cluster_uid(api: &ApiServer) -> Result<String, HomeError> {
    let namespace = api
        .get(&Kind::NAMESPACE.object("", "kube-system"))
        .await?
        .ok_or(HomeError::Nameless)?;
    match text(&namespace, "/metadata/uid") {
        "" => Err(HomeError::Nameless),
        uid => Ok(uid.to_owned()),
    }
}
