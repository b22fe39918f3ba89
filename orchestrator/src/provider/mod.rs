//! Where clusters come from. A provider says how a cluster is reached and what it offers; it makes no calls to it.

pub mod existing;
pub mod lab;

use crate::cluster::{Cluster, ClusterAccess};
use crate::exit::Exit;
use crate::verify::Role;
use std::fmt;

/// A cluster that a provider stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Role in the scenario.
    pub role: Role,
    /// How it is reached.
    pub access: ClusterAccess,
    /// GatewayClass the stack uses there.
    pub gateway_class: String,
    /// Where it comes from, for example `lab` or `existing`.
    pub provider: &'static str,
    /// How the stack's image gets there.
    pub image_pull_policy: ImagePullPolicy,
}

/// `imagePullPolicy` of the stack's containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImagePullPolicy {
    /// The image was loaded into the nodes beforehand; no registry is asked.
    Never,
    /// The nodes pull the image unless they have it.
    IfNotPresent,
}

impl ImagePullPolicy {
    /// The word Kubernetes uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "Never",
            Self::IfNotPresent => "IfNotPresent",
        }
    }
}

impl fmt::Display for ImagePullPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why clusters cannot be had or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The context is none that was allowed.
    #[error("role {role}: the context `{context}` is not on the list of contexts that may be used")]
    ContextNotAllowed {
        /// Role that was to be bound to it.
        role: Role,
        /// The context.
        context: String,
        /// What is allowed.
        allowed: Vec<String>,
    },
    /// Two roles turned out to be one cluster.
    #[error("roles {first} and {second} are the same cluster ({uid})")]
    SameCluster {
        /// One role.
        first: Role,
        /// The other.
        second: Role,
        /// UID of its `kube-system` namespace.
        uid: String,
    },
    /// This version has no such provider.
    #[error("clusters of provider `{provider}` cannot be made yet")]
    NotBuilt {
        /// The provider.
        provider: &'static str,
    },
}

impl ProviderError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::ContextNotAllowed {
                context, allowed, ..
            } => format!(
                "portproof creates and deletes objects there; if that is meant, pass `--allow-context {context}` (allowed so far: {})",
                allowed.join(", ")
            ),
            Self::SameCluster { .. } => {
                "bind the roles to two clusters, or let the scenario allow one cluster for both"
                    .to_owned()
            }
            Self::NotBuilt { provider } => {
                format!(
                    "make the cluster with `{provider}` yourself and bind its kubeconfig context"
                )
            }
        }
    }

    /// With what the process ends when nothing better is known.
    pub const fn exit(&self) -> Exit {
        Exit::Usage
    }
}

/// Refuses to carry a stack from a cluster to itself unless the scenario allows that. Contexts and addresses say
/// nothing: two of them may be one cluster.
///
/// # Errors
/// [`ProviderError::SameCluster`] with the first two roles that share a cluster.
pub fn check_identities(clusters: &[Cluster], allow_same: bool) -> Result<(), ProviderError> {
    let identities: Vec<_> = clusters.iter().map(|it| (it.role(), it.uid())).collect();
    if allow_same {
        Ok(())
    } else {
        distinct(&identities)
    }
}

fn distinct(identities: &[(&Role, &str)]) -> Result<(), ProviderError> {
    for (index, (second, uid)) in identities.iter().enumerate() {
        let earlier = identities.iter().take(index).find(|(_, it)| it == uid);
        if let Some((first, _)) = earlier {
            return Err(ProviderError::SameCluster {
                first: (*first).clone(),
                second: (*second).clone(),
                uid: (*uid).to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::fake::FakeApi;

    #[test]
    fn two_roles_on_one_cluster_are_refused_by_name() {
        let [a, b, c] = ["a", "b", "c"].map(|name| Role::new(name).unwrap());
        assert_eq!(distinct(&[(&a, "1"), (&b, "2"), (&c, "3")]), Ok(()));
        let error = distinct(&[(&a, "1"), (&b, "2"), (&c, "1")]).unwrap_err();
        assert_eq!(error.to_string(), "roles a and c are the same cluster (1)");
    }

    #[tokio::test]
    async fn one_cluster_for_two_roles_needs_leave() {
        let (_fake, cluster) = FakeApi::start().await;
        let twice = [cluster.clone(), cluster];
        assert!(check_identities(&twice, false).is_err());
        assert_eq!(check_identities(&twice, true), Ok(()));
    }
}
