//! What the tool gateway may do at the API server: read its Tools and their documents, see which Services there are,
//! report on them.

use super::plan::Plan;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};
use portproof_proto::access::{Grant, TOOL_GATEWAY};
use portproof_proto::names::Part;

pub(super) fn service_account(plan: &Plan) -> ServiceAccount {
    ServiceAccount {
        metadata: plan.part_metadata(Part::ToolGateway),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

pub(super) fn role(plan: &Plan) -> Role {
    Role {
        metadata: plan.part_metadata(Part::ToolGateway),
        rules: Some(TOOL_GATEWAY.iter().map(rule).collect()),
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

fn rule(grant: &Grant) -> PolicyRule {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    PolicyRule {
        api_groups: Some(vec![grant.group.to_owned()]),
        resources: Some(owned(grant.resources)),
        resource_names: (!grant.names.is_empty()).then(|| owned(grant.names)),
        verbs: owned(grant.verbs),
        ..PolicyRule::default()
    }
}
