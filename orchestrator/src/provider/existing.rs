//! Clusters that are there already, by kubeconfig context. A context must be on a list, so that a slip of the keyboard
//! never reaches a cluster that others live on.

use super::{ImagePullPolicy, ProviderError, Resolved};
use crate::cluster::ClusterAccess;
use crate::verify::Role;
use std::path::PathBuf;

/// Name of this provider in reports.
pub const PROVIDER: &str = "existing";

/// Contexts of clusters that people make to throw away.
const DEFAULT_PATTERNS: [&str; 5] = [
    "kind-*",
    "k3d-*",
    "minikube",
    "docker-desktop",
    "portproof-lab-*",
];

/// The contexts that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedContexts {
    patterns: Vec<String>,
}

impl Default for AllowedContexts {
    fn default() -> Self {
        Self {
            patterns: DEFAULT_PATTERNS.map(str::to_owned).to_vec(),
        }
    }
}

impl AllowedContexts {
    /// The default list and what the user allowed besides: names, or beginnings of names that end in `*`.
    ///
    /// A bare `*` allows nothing: everything is not a list.
    pub fn with(explicit: impl IntoIterator<Item = String>) -> Self {
        let mut allowed = Self::default();
        allowed.patterns.extend(explicit);
        allowed
    }

    /// Whether the context may be used.
    pub fn allows(&self, context: &str) -> bool {
        self.patterns.iter().any(|pattern| fits(pattern, context))
    }
}

fn fits(pattern: &str, context: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => !beginning.is_empty() && context.starts_with(beginning),
        None => pattern == context,
    }
}

/// A binding of a role to a cluster that is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Role in the scenario.
    pub role: Role,
    /// The kubeconfig.
    pub kubeconfig: PathBuf,
    /// The context in it; always named, never the current one.
    pub context: String,
    /// GatewayClass the stack uses there.
    pub gateway_class: String,
    /// How the stack's image gets there.
    pub image_pull_policy: ImagePullPolicy,
}

/// Stands for the cluster of a binding, without a call to it.
///
/// # Errors
/// [`ProviderError::ContextNotAllowed`] for a context that is not on the list.
pub fn resolve(binding: Binding, allowed: &AllowedContexts) -> Result<Resolved, ProviderError> {
    if !allowed.allows(&binding.context) {
        return Err(ProviderError::ContextNotAllowed {
            role: binding.role,
            context: binding.context,
            allowed: allowed.patterns.clone(),
        });
    }
    Ok(Resolved {
        role: binding.role,
        access: ClusterAccess {
            kubeconfig: binding.kubeconfig,
            context: Some(binding.context),
        },
        gateway_class: binding.gateway_class,
        provider: PROVIDER,
        image_pull_policy: binding.image_pull_policy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn binding(context: &str) -> Binding {
        Binding {
            role: Role::new("a").unwrap(),
            kubeconfig: PathBuf::from("/clusters/config"),
            context: context.to_owned(),
            gateway_class: "traefik".to_owned(),
            image_pull_policy: ImagePullPolicy::IfNotPresent,
        }
    }

    #[test]
    fn a_cluster_made_to_be_thrown_away_is_allowed_by_its_context() {
        for context in [
            "kind-a",
            "k3d-b",
            "minikube",
            "docker-desktop",
            "portproof-lab-a",
        ] {
            let resolved = resolve(binding(context), &AllowedContexts::default()).unwrap();
            assert_eq!(resolved.access.context.as_deref(), Some(context));
            assert_eq!(resolved.provider, "existing");
        }
    }

    #[test]
    fn any_other_context_is_refused_with_what_is_allowed() {
        for context in ["production", "minikube-2", "my-kind-a", "kind", ""] {
            let error = resolve(binding(context), &AllowedContexts::default()).unwrap_err();
            assert!(
                matches!(&error, ProviderError::ContextNotAllowed { context: it, .. } if it == context)
            );
            assert!(error.hint().contains("portproof-lab-*"));
        }
    }

    #[test]
    fn a_context_that_was_allowed_explicitly_may_be_used() {
        let allowed = AllowedContexts::with(["staging".to_owned(), "team-*".to_owned()]);
        for context in ["staging", "team-x", "kind-a"] {
            assert!(resolve(binding(context), &allowed).is_ok());
        }
        assert!(!allowed.allows("staging-2"));
    }

    proptest! {
        #[test]
        fn a_bare_star_allows_no_context(context in "[a-z0-9@/:-]{1,20}") {
            let only_defaults = AllowedContexts::default();
            let with_star = AllowedContexts::with(["*".to_owned()]);
            prop_assert_eq!(with_star.allows(&context), only_defaults.allows(&context));
        }
    }
}
