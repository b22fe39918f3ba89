//! What whoever runs portproof needs, beyond what a run hands on to the control agent.

use super::{CORE, CRDS, Grant, RBAC};
use crate::tool;

/// What a run itself does at the API server of a cluster. The namespace of a run is not known before and the run makes it, so
/// none of this can be a Role.
pub const RUN: &[Grant] = &[
    Grant {
        group: CORE,
        resources: &["namespaces"],
        names: &[],
        verbs: &["create", "get", "list", "delete"],
        why: "makes and removes the run's namespace, finds those that runs left, and reads the UID of kube-system, the identity of the cluster",
    },
    Grant {
        group: RBAC,
        resources: &["clusterroles", "clusterrolebindings"],
        names: &[],
        verbs: &["create", "get", "list", "delete"],
        why: "gives the control agent its rights in the cluster, takes them back, finds those that runs left; without escalate and bind a run hands on only what it holds",
    },
    Grant {
        group: RBAC,
        resources: &["roles", "rolebindings"],
        names: &[],
        verbs: &["create"],
        why: "gives the control agent its rights in the run's namespace; they go with it",
    },
    Grant {
        group: CORE,
        resources: &["serviceaccounts", "secrets", "services", "configmaps"],
        names: &[],
        verbs: &["create"],
        why: "makes the control agent's account, certificate and Service, and what lets the stack in at a model server; they go with the namespace",
    },
    Grant {
        group: super::APPS,
        resources: &["deployments"],
        names: &[],
        verbs: &["create"],
        why: "starts the control agent",
    },
    Grant {
        group: CORE,
        resources: &["pods"],
        names: &[],
        verbs: &["list", "watch", "deletecollection"],
        why: "waits for the control agent, ends the pods of the run's namespace, and waits for a Gateway's pods in the namespace of its implementation",
    },
    Grant {
        group: CORE,
        resources: &["pods/portforward"],
        names: &[],
        verbs: &["get", "create"],
        why: "speaks to the control agent; API servers ask for one verb or the other, by version",
    },
    Grant {
        group: CORE,
        resources: &["pods/log"],
        names: &[],
        verbs: &["get"],
        why: "says why the control agent does not become ready",
    },
    Grant {
        group: CORE,
        resources: &["events"],
        names: &[],
        verbs: &["list"],
        why: "says why the control agent does not become ready",
    },
    Grant {
        group: CORE,
        resources: &["nodes"],
        names: &[],
        verbs: &["get"],
        why: "the kernel of the interpreter's node, to compare with the kernel that the sandbox shows; its name is not known before",
    },
    Grant {
        group: CRDS,
        resources: &["customresourcedefinitions"],
        names: &[],
        verbs: &["create"],
        why: "creates the carried Tool CRD from its very bytes; RBAC cannot narrow a create to a name, so portproof refuses every other CRD itself",
    },
    Grant {
        group: CRDS,
        resources: &["customresourcedefinitions"],
        names: &[tool::CRD_NAME],
        verbs: &["get", "delete"],
        why: "looks whether the Tool CRD is there, and removes it if the run made it and nobody else uses it",
    },
    Grant {
        group: tool::GROUP,
        resources: &["tools"],
        names: &[],
        verbs: &["list"],
        why: "sees whether anybody else uses the Tool CRD before it goes",
    },
];
