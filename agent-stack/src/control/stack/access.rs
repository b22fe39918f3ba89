//! What the tool gateway may do at the API server: read its Tools and their documents, see which Services there are,
//! report on them.

use super::plan::Plan;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};
use portproof_proto::names::Part;
use portproof_proto::tool;

pub(super) fn service_account(plan: &Plan) -> ServiceAccount {
    ServiceAccount {
        metadata: plan.part_metadata(Part::ToolGateway),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

pub(super) fn role(plan: &Plan) -> Role {
    let read = &["get", "list", "watch"];
    Role {
        metadata: plan.part_metadata(Part::ToolGateway),
        rules: Some(vec![
            rule(tool::GROUP, "tools", read),
            rule(tool::GROUP, "tools/status", &["get", "patch", "update"]),
            rule("", "configmaps", read),
            rule("", "services", &["list", "watch"]),
        ]),
    }
}

pub(super) fn role_binding(plan: &Plan) -> RoleBinding {
    let name = Part::ToolGateway.name().to_owned();
    RoleBinding {
        metadata: plan.part_metadata(Part::ToolGateway),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".into(),
            kind: "Role".into(),
            name: name.clone(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".into(),
            name,
            namespace: Some(plan.home.namespace.clone()),
            api_group: None,
        }]),
    }
}

fn rule(group: &str, resource: &str, verbs: &[&str]) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        ..PolicyRule::default()
    }
}
