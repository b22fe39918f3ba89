//! The portable projection: an object without what an API server writes into it.
//!
//! The set of dropped members is published and versioned ([`VERSION`]); nothing else is ever dropped, so two objects
//! with equal projections are equal in everything a person or a controller wrote.

use crate::canonical::{self, CanonicalError, Digest};
use serde_json::{Map, Value};

/// Version of the set of dropped members.
pub const VERSION: &str = "S1";

/// Members of `metadata` that belong to the API server.
const SERVER_METADATA: [&str; 10] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
    "ownerReferences",
    "finalizers",
];

/// Annotations that tools write about their own way of applying.
const SERVER_ANNOTATIONS: [&str; 2] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/revision",
];

/// Drops exactly what the API server owns.
pub fn project(object: &Value) -> Value {
    let mut portable = object.clone();
    if let Some(members) = portable.as_object_mut() {
        members.remove("status");
        if let Some(metadata) = members.get_mut("metadata").and_then(Value::as_object_mut) {
            project_metadata(metadata);
        }
        if members.get("kind").and_then(Value::as_str) == Some("CustomResourceDefinition") {
            project_crd(members);
        }
    }
    portable
}

/// The digest of the portable projection, `H` in the zero-modification proof.
///
/// # Errors
/// When the projection has no canonical form; see [`CanonicalError`].
pub fn digest(object: &Value) -> Result<Digest, CanonicalError> {
    canonical::digest(&project(object))
}

fn project_metadata(metadata: &mut Map<String, Value>) {
    for member in SERVER_METADATA {
        metadata.remove(member);
    }
    let emptied = metadata
        .get_mut("annotations")
        .and_then(Value::as_object_mut)
        .is_some_and(|annotations| {
            for annotation in SERVER_ANNOTATIONS {
                annotations.remove(annotation);
            }
            annotations.is_empty()
        });
    if emptied {
        metadata.remove("annotations");
    }
}

/// A CRD's CA bundle is injected by whoever serves its conversion webhook in that cluster.
fn project_crd(crd: &mut Map<String, Value>) {
    if let Some(client) = crd
        .get_mut("spec")
        .and_then(|spec| spec.pointer_mut("/conversion/webhook/clientConfig"))
        .and_then(Value::as_object_mut)
    {
        client.remove("caBundle");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_server_wrote_is_dropped_and_the_rest_stays() {
        let stored = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "n", "namespace": "s", "uid": "u", "resourceVersion": "7", "labels": {"a": "b"},
                "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{}],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}},
            "data": {"k": "v"}, "status": {"x": 1}
        });
        let expected = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "n", "namespace": "s", "labels": {"a": "b"}},
            "data": {"k": "v"}
        });
        assert_eq!(project(&stored), expected);
    }

    #[test]
    fn a_changed_label_changes_the_digest() {
        let object = json!({"kind": "ConfigMap", "metadata": {"name": "n", "labels": {"a": "b"}}});
        let mut other = object.clone();
        other["metadata"]["labels"]["a"] = json!("c");
        assert_ne!(digest(&object).unwrap(), digest(&other).unwrap());
    }

    #[test]
    fn projecting_twice_changes_nothing_more() {
        let object =
            json!({"kind": "X", "metadata": {"uid": "u", "annotations": {"a": "b"}}, "status": {}});
        assert_eq!(project(&project(&object)), project(&object));
    }
}
