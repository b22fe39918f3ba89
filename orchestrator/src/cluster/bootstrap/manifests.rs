//! The bootstrap objects as data, in the order of their creation.

use super::{Secrets, access};
use crate::rpc::Credentials;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};
use portproof_proto::names::{self, Part};
use serde_json::{Value, json};

/// No run takes this long: what is still there by then was left behind.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// What the bootstrap of one cluster depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    /// Id of the run.
    pub run: String,
    /// Role of the cluster.
    pub role: String,
    /// Namespace of the run.
    pub namespace: String,
    /// UID of the cluster, for the resource attributes of spans.
    pub cluster_uid: String,
    /// Image of the stack.
    pub image: String,
    /// Pull policy of the image.
    pub image_pull_policy: String,
    /// When the run began.
    pub began: Timestamp,
}

/// Every object, in the order of its creation.
pub(super) fn objects(plan: &Bootstrap, secrets: &Secrets<'_>) -> Vec<Value> {
    let mut objects = vec![namespace(plan)];
    objects.extend(rights(plan));
    objects.push(secret(plan, secrets.agent));
    objects.extend(secrets.upstream.objects(plan));
    objects.extend([service(plan), deployment(plan)]);
    objects
}

/// The objects that say what the control agent may do, in the order of their creation.
pub(super) fn rights(plan: &Bootstrap) -> [Value; 5] {
    [
        cluster_role(plan),
        cluster_role_binding(plan),
        service_account(plan),
        role(plan),
        role_binding(plan),
    ]
}

const CONTROL: &str = Part::Control.name();

fn labels(plan: &Bootstrap) -> Value {
    json!({
        names::RUN_LABEL: plan.run,
        names::ROLE_LABEL: plan.role,
        names::MANAGED_BY_LABEL: names::FIELD_MANAGER,
    })
}

/// The times on everything cluster-scoped, so that what was left behind can be told from what is in use.
fn times(plan: &Bootstrap) -> Value {
    let expires = plan
        .began
        .saturating_add(LIFETIME)
        .unwrap_or(Timestamp::MAX);
    json!({
        names::CREATED_AT_ANNOTATION: seconds(plan.began),
        names::EXPIRES_AT_ANNOTATION: seconds(expires),
    })
}

fn seconds(time: Timestamp) -> String {
    format!("{time:.0}")
}

fn pod_labels(plan: &Bootstrap) -> Value {
    let mut labels = labels(plan);
    labels[names::PART_LABEL] = CONTROL.into();
    labels
}

pub(super) fn namespaced(plan: &Bootstrap, name: &str) -> Value {
    json!({"name": name, "namespace": plan.namespace, "labels": labels(plan)})
}

/// Pods that do not satisfy Pod Security `restricted`, in the strictest reading the API server knows, are refused here.
fn namespace(plan: &Bootstrap) -> Value {
    let mut labels = labels(plan);
    for mode in ["enforce", "warn", "audit"] {
        labels[format!("pod-security.kubernetes.io/{mode}")] = "restricted".into();
        labels[format!("pod-security.kubernetes.io/{mode}-version")] = "latest".into();
    }
    json!({"apiVersion": "v1", "kind": "Namespace", 
        "metadata": {"name": plan.namespace, "labels": labels, "annotations": times(plan)}})
}

fn service_account(plan: &Bootstrap) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": namespaced(plan, CONTROL)})
}

/// The name of the cluster-scoped objects of a run: the run id keeps two runs apart.
fn cluster_scoped(plan: &Bootstrap) -> String {
    format!("{}-control", plan.namespace)
}

/// What no namespaced Role can grant: to read the classes and the definitions of the cluster.
fn cluster_role(plan: &Bootstrap) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": cluster_scoped(plan), "labels": labels(plan), "annotations": times(plan)},
        "rules": access::cluster().map(access::rule).collect::<Vec<_>>(),
    })
}

fn cluster_role_binding(plan: &Bootstrap) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": cluster_scoped(plan), "labels": labels(plan), "annotations": times(plan)},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": cluster_scoped(plan)},
        "subjects": [{"kind": "ServiceAccount", "name": CONTROL, "namespace": plan.namespace}],
    })
}

/// What provisioning needs in the namespace of the run.
fn role(plan: &Bootstrap) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": namespaced(plan, CONTROL),
        "rules": access::namespace().map(access::rule).collect::<Vec<_>>(),
    })
}

fn role_binding(plan: &Bootstrap) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": namespaced(plan, CONTROL),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": CONTROL},
        "subjects": [{"kind": "ServiceAccount", "name": CONTROL, "namespace": plan.namespace}],
    })
}

fn secret(plan: &Bootstrap, credentials: &Credentials) -> Value {
    let encode = |pem: &str| BASE64_STANDARD.encode(pem);
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": namespaced(plan, names::CONTROL_TLS_SECRET),
        "data": {
            "ca.pem": encode(&credentials.authority),
            "server.pem": encode(&credentials.certificate),
            "server.key": encode(&credentials.key),
        },
    })
}

fn service(plan: &Bootstrap) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": namespaced(plan, CONTROL),
        "spec": {
            "selector": {names::PART_LABEL: CONTROL},
            "ports": [
                {"name": "grpc", "port": names::CONTROL_PORT},
                {"name": "otlp", "port": names::OTLP_PORT},
                {"name": "http", "port": names::HTTP_PORT},
            ],
        },
    })
}

fn deployment(plan: &Bootstrap) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": namespaced(plan, CONTROL),
        "spec": {
            "replicas": 1,
            // Two agents at once would both move the canary's weight, and each would hold half of the spans.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {names::PART_LABEL: CONTROL}},
            "template": {"metadata": {"labels": pod_labels(plan)}, "spec": pod(plan)},
        },
    })
}

/// The grace is the agent's own for open calls and what a push of its last words may take, with some room.
fn pod(plan: &Bootstrap) -> Value {
    json!({
        "serviceAccountName": CONTROL,
        "terminationGracePeriodSeconds": 10,
        "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container(plan)],
        "volumes": [{"name": "tls", "secret": {"secretName": names::CONTROL_TLS_SECRET, "defaultMode": 0o440}}],
    })
}

fn container(plan: &Bootstrap) -> Value {
    let from_field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    json!({
        "name": CONTROL,
        "image": plan.image,
        "imagePullPolicy": plan.image_pull_policy,
        "args": ["control", "--run-id", plan.run, "--role", plan.role],
        "env": [
            from_field("POD_NAMESPACE", "metadata.namespace"),
            from_field("POD_NAME", "metadata.name"),
            from_field("POD_UID", "metadata.uid"),
            from_field("NODE_NAME", "spec.nodeName"),
            {"name": "CLUSTER_UID", "value": plan.cluster_uid},
        ],
        "ports": [{"name": "grpc", "containerPort": names::CONTROL_PORT},
            {"name": "otlp", "containerPort": names::OTLP_PORT}, {"name": "http", "containerPort": names::HTTP_PORT}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1, "failureThreshold": 30},
        "livenessProbe": {"httpGet": {"path": "/livez", "port": "http"}, "periodSeconds": 10},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "2", "memory": "256Mi"}},
        "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "tls", "mountPath": names::CONTROL_TLS_DIR, "readOnly": true}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::UpstreamAccess;

    fn plan() -> Bootstrap {
        Bootstrap {
            run: "r1".into(),
            role: "a".into(),
            namespace: "portproof-r1".into(),
            cluster_uid: "uid".into(),
            image: "docker.io/portproof/agent-stack:x".into(),
            image_pull_policy: "Never".into(),
            began: Timestamp::from_second(1_800_000_000).unwrap(),
        }
    }

    fn all() -> Vec<Value> {
        with(&UpstreamAccess::default())
    }

    fn with(upstream: &UpstreamAccess) -> Vec<Value> {
        let pem = |what: &str| format!("-----{what}-----");
        let credentials = Credentials {
            authority: pem("ca"),
            certificate: pem("cert"),
            key: pem("key"),
        };
        let secrets = Secrets {
            agent: &credentials,
            upstream,
        };
        objects(&plan(), &secrets)
    }

    #[test]
    fn the_bootstrap_objects_are_the_reviewed_ones() {
        insta::assert_json_snapshot!(all());
    }

    #[test]
    fn key_and_authorities_of_the_model_server_are_there_before_the_agent() {
        let access = UpstreamAccess {
            key: Some("sk-one".into()),
            authorities: Some("-----ca-----".into()),
        };
        let objects = with(&access);
        assert_eq!(objects.len(), all().len() + 2);
        let there: Vec<_> = objects
            .iter()
            .filter(|object| object["metadata"]["name"] == names::UPSTREAM)
            .map(|object| (&object["kind"], &object["data"]))
            .collect();
        let (key, authorities) = (
            json!({"api-key": "c2stb25l"}),
            json!({"ca.crt": "-----ca-----"}),
        );
        assert_eq!(
            there,
            [
                (&json!("Secret"), &key),
                (&json!("ConfigMap"), &authorities)
            ]
        );
        assert_eq!(objects.last(), all().last());
        assert!(!format!("{access:?}").contains("sk-one"));
    }

    #[test]
    fn every_object_carries_the_run_and_the_namespace_comes_first() {
        let objects = all();
        assert_eq!(objects[0]["kind"], "Namespace");
        for object in &objects {
            assert_eq!(
                object["metadata"]["labels"][names::RUN_LABEL],
                "r1",
                "{object}"
            );
        }
    }

    #[test]
    fn the_agent_fits_a_quota_that_asks_for_requests_and_limits() {
        let deployment = all().pop().unwrap();
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        for kind in ["requests", "limits"] {
            for resource in ["cpu", "memory"] {
                assert!(container["resources"][kind][resource].is_string(), "{kind}");
            }
        }
    }

    #[test]
    fn no_rule_grants_everything() {
        let rules = all()
            .into_iter()
            .filter_map(|object| object.get("rules").cloned());
        let text = rules.collect::<Value>().to_string();
        assert!(!text.contains("\"*\""), "{text}");
    }
}
