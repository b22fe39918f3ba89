//! What the control agent's account can do on a real API server, and what it can't.

use crate::control_agent::{Run, with_run};
use crate::operations::client;
use k8s_openapi::api::core::v1::Node;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};
use portproof::cluster::{Reach, control_grants};
use portproof_proto::access::Grant;
use portproof_proto::{names, tool};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The account of the control agent, and the namespace it works in.
struct Account {
    client: Client,
    namespace: String,
}

/// One right: verb, group, resource, name.
type Right = (String, String, String, String);

impl Account {
    async fn of(run: &Run) -> Self {
        run.agent().await;
        let namespace = run.id.namespace();
        let user = format!("system:serviceaccount:{namespace}:control");
        Self {
            client: client(run, Some(&user)).await,
            namespace,
        }
    }

    /// Sends a request as the account; the status and the answer.
    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let content_type = if method == "PATCH" {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content_type)
            .body(
                body.map(|body| body.to_string())
                    .unwrap_or_default()
                    .into_bytes()
                    .into(),
            );
        let answer = self.client.send(request.unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let body = http_body_util::BodyExt::collect(answer.into_body())
            .await
            .unwrap();
        (
            status,
            serde_json::from_slice(&body.to_bytes()).unwrap_or_default(),
        )
    }

    async fn may(
        &self,
        verb: &str,
        group: &str,
        resource: &str,
        namespace: &str,
        name: &str,
    ) -> bool {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let attributes = json!({"verb": verb, "group": group, "resource": resource, "subresource": subresource,
            "namespace": namespace, "name": name});
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes}});
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let (status, answer) = self.send("POST", path, Some(review)).await;
        assert_eq!(status, 201, "{answer}");
        answer["status"]["allowed"] == true
    }

    /// Every right the API server says it has in its namespace, but those of every account to ask about itself.
    async fn rights(&self) -> BTreeSet<Right> {
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": self.namespace}});
        let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
        let (_, answer) = self.send("POST", path, Some(review)).await;
        let rules = answer["status"]["resourceRules"]
            .as_array()
            .unwrap()
            .clone();
        let words = |rule: &Value, member: &str| -> Vec<String> {
            let words = rule[member].as_array().cloned().unwrap_or_default();
            words
                .iter()
                .map(|word| word.as_str().unwrap().to_owned())
                .collect()
        };
        let every = |rule: Value| {
            let mut names = words(&rule, "resourceNames");
            if names.is_empty() {
                names.push(String::new());
            }
            product(
                &words(&rule, "verbs"),
                &words(&rule, "apiGroups"),
                &words(&rule, "resources"),
                &names,
            )
        };
        let own = ["authorization.k8s.io", "authentication.k8s.io"];
        rules
            .into_iter()
            .flat_map(every)
            .filter(|(_, group, _, _)| !own.contains(&group.as_str()))
            .collect()
    }
}

/// A node that is there.
async fn node(run: &Run) -> String {
    let nodes: Api<Node> = Api::all(client(run, None).await);
    let found = nodes.list(&ListParams::default()).await.unwrap();
    found.items[0].name_any()
}

fn product(
    verbs: &[String],
    groups: &[String],
    resources: &[String],
    names: &[String],
) -> Vec<Right> {
    let mut rights = Vec::new();
    for verb in verbs {
        for group in groups {
            for resource in resources {
                let name =
                    |name: &String| (verb.clone(), group.clone(), resource.clone(), name.clone());
                rights.extend(names.iter().map(name));
            }
        }
    }
    rights
}

fn granted(grant: &Grant) -> Vec<Right> {
    let owned = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let names = if grant.names.is_empty() {
        &[""][..]
    } else {
        grant.names
    };
    product(
        &owned(grant.verbs),
        &owned(&[grant.group]),
        &owned(grant.resources),
        &owned(names),
    )
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn the_account_has_exactly_the_rights_that_are_printed() {
    with_run("a", async |run| {
        let account = Account::of(run).await;
        let printed: BTreeSet<Right> = control_grants()
            .into_iter()
            .flat_map(|(_, grant)| granted(grant))
            .collect();
        assert_eq!(account.rights().await, printed);
        for (reach, grant) in control_grants() {
            let namespace = match reach {
                Reach::Cluster => "",
                Reach::Namespace => account.namespace.as_str(),
            };
            for (verb, group, resource, name) in granted(grant) {
                let may = account
                    .may(&verb, &group, &resource, namespace, &name)
                    .await;
                assert!(may, "{verb} {group}/{resource} {name}");
            }
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn what_the_account_has_no_business_with_is_refused_when_it_tries() {
    with_run("a", async |run| {
        let account = Account::of(run).await;
        let own = &account.namespace;
        let rbac = "/apis/rbac.authorization.k8s.io/v1";
        let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "image": "i"}]}});
        let greedy = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "greedy"},
            "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]});
        let admin = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "admin"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "control", "namespace": own}]});
        let everything = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "everything"}, "rules": []});
        let node = node(run).await;
        let labels = json!({"metadata": {"labels": {"x": "y"}}});
        let tls = names::CONTROL_TLS_SECRET;
        let attempts = [
            ("GET", format!("/api/v1/namespaces/{own}/secrets/{tls}"), None),
            ("GET", format!("/api/v1/namespaces/{own}/secrets"), None),
            ("POST", format!("/api/v1/namespaces/{own}/pods"), Some(pod)),
            ("POST", format!("/api/v1/namespaces/{own}/pods/control/exec?command=id"), None),
            ("GET", format!("/api/v1/namespaces/{own}/pods/control/log"), None),
            ("POST", format!("/api/v1/namespaces/{own}/serviceaccounts/control/token"), Some(json!({}))),
            ("POST", format!("{rbac}/namespaces/{own}/roles"), Some(greedy)),
            ("POST", format!("{rbac}/namespaces/{own}/rolebindings"), Some(admin)),
            ("POST", format!("{rbac}/clusterroles"), Some(everything)),
            ("GET", "/api/v1/namespaces/kube-system/pods".to_owned(), None),
            ("GET", "/api/v1/namespaces/default/configmaps".to_owned(), None),
            ("GET", "/apis/tools.portproof.dev/v1alpha1/tools".to_owned(), None),
            ("GET", "/api/v1/namespaces".to_owned(), None),
            ("GET", "/api/v1/namespaces/kube-system".to_owned(), None),
            ("GET", format!("/api/v1/namespaces/{own}"), None),
            ("PATCH", format!("/api/v1/namespaces/{own}"), Some(labels.clone())),
            ("GET", "/api/v1/nodes".to_owned(), None),
            ("GET", format!("/api/v1/nodes/{node}"), None),
            ("PATCH", "/api/v1/nodes/any".to_owned(), Some(labels.clone())),
            ("POST", crds.to_owned(), Some(tool::crd().unwrap())),
            ("GET", crds.to_owned(), None),
            ("GET", format!("{crds}/gateways.gateway.networking.k8s.io"), None),
            ("PATCH", format!("{crds}/tools.tools.portproof.dev"), Some(labels)),
            ("DELETE", format!("{crds}/tools.tools.portproof.dev"), None),
        ];
        for (method, path, body) in attempts {
            let (status, answer) = account.send(method, &path, body).await;
            assert_eq!(status, 403, "{method} {path}: {answer}");
        }
    })
    .await;
}
