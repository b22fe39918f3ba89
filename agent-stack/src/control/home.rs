//! Where the agent stands and for whom it works.

/// What is fixed for the life of the agent: what the run told it when it was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    /// The run it was started for.
    pub(crate) run_id: String,
    /// The cluster role (`a`, `b`).
    pub(crate) role: String,
    /// The run's namespace.
    pub(crate) namespace: String,
    /// UID of the cluster's `kube-system` namespace, which the agent itself may not read.
    pub(crate) cluster_uid: String,
}

impl Home {
    pub(crate) fn of(args: &super::Args) -> Self {
        Self {
            run_id: args.run_id.clone(),
            role: args.role.clone(),
            namespace: args.namespace.clone(),
            cluster_uid: args.cluster_uid.clone(),
        }
    }
}
