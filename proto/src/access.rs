//! Who may do what at the API server of a cluster, each right with its reason.
//!
//! The orchestrator holds and grants these rights, the stack lives within them, and `portproof rbac print` shows them: one
//! list, so that they cannot disagree. RBAC adds up and knows no "except", so every rule names its kinds, its verbs and, where
//! RBAC can tell them apart, its objects. Nobody gets `escalate`, `bind` or `impersonate`, or a wildcard; nobody reads a
//! Secret.

mod run;

use crate::tool;
pub use run::RUN;

const CORE: &str = "";
const APPS: &str = "apps";
const GATEWAY_API: &str = "gateway.networking.k8s.io";
const NETWORKING: &str = "networking.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";
const CRDS: &str = "apiextensions.k8s.io";

/// CRD whose annotation tells the version of Gateway API.
pub const HTTP_ROUTE_CRD: &str = "httproutes.gateway.networking.k8s.io";

/// One rule of a Role or ClusterRole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Resources, plural, with their subresource where one is meant.
    pub resources: &'static [&'static str],
    /// Names of the objects; empty for all.
    pub names: &'static [&'static str],
    /// Verbs.
    pub verbs: &'static [&'static str],
    /// What it is needed for, as one line.
    pub why: &'static str,
}

impl Grant {
    /// Whether the rule allows `verb` on the object `name` (empty where the request names none).
    pub fn allows(&self, verb: &str, group: &str, resource: &str, name: &str) -> bool {
        self.group == group
            && self.resources.contains(&resource)
            && self.verbs.contains(&verb)
            && (self.names.is_empty() || self.names.contains(&name))
    }
}

/// What the control agent may do in the whole cluster: read the classes and definitions it needs, and nothing else. What a
/// run does to a cluster beyond its namespace, and the nodes it asks about, is done with the rights of whoever runs it.
pub const CONTROL_CLUSTER: &[Grant] = &[
    Grant {
        group: "node.k8s.io",
        resources: &["runtimeclasses"],
        names: &[],
        verbs: &["list"],
        why: "says which sandboxes the cluster has",
    },
    Grant {
        group: GATEWAY_API,
        resources: &["gatewayclasses"],
        names: &[],
        verbs: &["list"],
        why: "says which gateways the cluster has",
    },
    Grant {
        group: CRDS,
        resources: &["customresourcedefinitions"],
        names: &[HTTP_ROUTE_CRD, tool::CRD_NAME],
        verbs: &["get"],
        why: "the version of Gateway API; the Tool CRD, to export it and to see that the one the run carried is there",
    },
];

/// What the control agent may do in the namespace of its run, beside what it hands on ([`TOOL_GATEWAY`]).
pub const CONTROL_NAMESPACE: &[Grant] = &[
    Grant {
        group: APPS,
        resources: &["deployments"],
        names: &[],
        verbs: &["create", "patch", "list", "watch", "delete"],
        why: "provisions the parts of the stack by server-side apply, waits until they are available, removes them",
    },
    Grant {
        group: CORE,
        resources: &["services"],
        names: &[],
        verbs: &["create", "patch", "get", "list", "delete"],
        why: "provisions the parts' Services, reads the address that egress probes may reach, removes them",
    },
    Grant {
        group: CORE,
        resources: &["serviceaccounts"],
        names: &[],
        verbs: &["create", "patch", "list", "delete"],
        why: "provisions and removes the tool gateway's account; its token is made by the kubelet, not by the agent",
    },
    Grant {
        group: RBAC,
        resources: &["roles", "rolebindings"],
        names: &[],
        verbs: &["create", "patch", "list", "delete"],
        why: "provisions and removes the tool gateway's rights; without escalate and bind it can grant only what it holds",
    },
    Grant {
        group: NETWORKING,
        resources: &["networkpolicies"],
        names: &[],
        verbs: &["create", "patch", "list", "delete"],
        why: "provisions the policies before the first pod, removes them after the last",
    },
    Grant {
        group: GATEWAY_API,
        resources: &["gateways"],
        names: &[],
        verbs: &["create", "patch", "get", "list", "watch", "delete"],
        why: "provisions the Gateway, waits for its address, sends traffic there, removes it",
    },
    Grant {
        group: GATEWAY_API,
        resources: &["httproutes"],
        names: &[],
        verbs: &["create", "patch", "get", "list", "delete"],
        why: "provisions the routes, moves the canary's weight, removes them",
    },
    Grant {
        group: CORE,
        resources: &["pods"],
        names: &[],
        verbs: &["list"],
        why: "finds the pods that are probed, and says why one is not ready",
    },
    Grant {
        group: CORE,
        resources: &["configmaps"],
        names: &[],
        verbs: &["create", "get", "list", "delete"],
        why: "carries the documents that Tools search, removes what it carried",
    },
    Grant {
        group: tool::GROUP,
        resources: &["tools"],
        names: &[],
        verbs: &["create", "get", "list", "delete"],
        why: "carries Tools, removes what it carried",
    },
];

/// What the tool gateway may do in the namespace of its run. The control agent makes this Role, and RBAC lets nobody grant
/// what they do not hold, so the control agent holds it too.
pub const TOOL_GATEWAY: &[Grant] = &[
    Grant {
        group: tool::GROUP,
        resources: &["tools"],
        names: &[],
        verbs: &["get", "list", "watch"],
        why: "handed on to the tool gateway: the Tools it serves",
    },
    Grant {
        group: tool::GROUP,
        resources: &["tools/status"],
        names: &[],
        verbs: &["patch"],
        why: "handed on to the tool gateway: whether it serves a Tool",
    },
    Grant {
        group: CORE,
        resources: &["configmaps"],
        names: &[],
        verbs: &["get", "list", "watch"],
        why: "handed on to the tool gateway: the documents that Tools search, and whether they are there",
    },
    Grant {
        group: CORE,
        resources: &["services"],
        names: &[],
        verbs: &["list", "watch"],
        why: "handed on to the tool gateway: whether the Service that a Tool calls is there",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = &'static Grant> {
        CONTROL_CLUSTER
            .iter()
            .chain(CONTROL_NAMESPACE)
            .chain(TOOL_GATEWAY)
    }

    #[test]
    fn no_rule_holds_a_wildcard_or_a_way_to_more_rights() {
        for grant in all().chain(RUN) {
            for word in grant.verbs.iter().chain(grant.resources) {
                assert!(!word.contains('*'), "{grant:?}");
            }
            for verb in ["escalate", "bind", "impersonate", "update"] {
                assert!(!grant.verbs.contains(&verb), "{grant:?}");
            }
        }
        assert!(all().all(|grant| !grant.verbs.contains(&"deletecollection")));
    }

    #[test]
    fn a_run_makes_secrets_and_reads_none_and_goes_into_no_pod() {
        let secrets: Vec<_> = RUN
            .iter()
            .filter(|grant| grant.resources.contains(&"secrets"))
            .collect();
        assert_eq!(secrets.len(), 1);
        assert_eq!(secrets[0].verbs, ["create"]);
        for closed in ["pods/exec", "pods/attach", "serviceaccounts/token"] {
            assert!(RUN.iter().all(|grant| !grant.resources.contains(&closed)));
        }
    }

    #[test]
    fn secrets_and_the_insides_of_pods_are_out_of_reach() {
        let pods: Vec<_> = all().filter(|it| it.resources.contains(&"pods")).collect();
        assert_eq!(pods.len(), 1);
        assert_eq!(pods[0].verbs, ["list"]);
        for closed in [
            "secrets",
            "pods/exec",
            "pods/attach",
            "pods/log",
            "serviceaccounts/token",
        ] {
            assert!(
                all().all(|grant| !grant.resources.contains(&closed)),
                "{closed}"
            );
        }
    }

    #[test]
    fn of_the_cluster_only_classes_and_two_definitions_can_be_read_and_nothing_changed() {
        for grant in CONTROL_CLUSTER {
            match grant.resources {
                ["runtimeclasses" | "gatewayclasses"] => assert_eq!(grant.verbs, ["list"]),
                ["customresourcedefinitions"] => {
                    assert_eq!(grant.verbs, ["get"]);
                    assert_eq!(grant.names, [HTTP_ROUTE_CRD, tool::CRD_NAME]);
                }
                _ => panic!("{grant:?}"),
            }
        }
    }

    #[test]
    fn every_rule_has_its_reason_on_one_line() {
        for grant in all().chain(RUN) {
            assert!(
                !grant.why.is_empty() && !grant.why.contains('\n'),
                "{grant:?}"
            );
        }
    }

    #[test]
    fn a_rule_with_names_allows_only_these() {
        let rule = Grant {
            names: &["one"],
            ..CONTROL_CLUSTER[0]
        };
        assert!(rule.allows("list", rule.group, rule.resources[0], "one"));
        assert!(!rule.allows("list", rule.group, rule.resources[0], "two"));
        assert!(!rule.allows("list", rule.group, rule.resources[0], ""));
    }
}
