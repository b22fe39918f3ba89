//! What the API server in memory lets its clients do: what the contract grants, and nothing else.

use axum::http::Method;
use portproof_proto::access::{CONTROL_CLUSTER, CONTROL_NAMESPACE, Grant, TOOL_GATEWAY};
use std::collections::HashMap;

/// Whether the rights that the agent is granted cover a request.
pub(super) fn may(method: &Method, path: &str, query: &HashMap<String, String>) -> bool {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, rest) = match segments.as_slice() {
        ["api", _, rest @ ..] => ("", rest),
        ["apis", group, _, rest @ ..] => (*group, rest),
        // Versions and discovery are open to every account.
        _ => return true,
    };
    let (namespaced, rest) = match rest {
        ["namespaces", _, resource, ..] if !resource.is_empty() => (true, &rest[2..]),
        _ => (false, rest),
    };
    let name = rest.get(1).copied().unwrap_or_default();
    // RBAC names a subresource together with its resource.
    let resource = match rest {
        [resource, _, subresource, ..] => format!("{resource}/{subresource}"),
        _ => rest[0].to_owned(),
    };
    let verb = verb(method, name, query);
    let granted = |grants: &[Grant]| {
        grants
            .iter()
            .any(|grant| grant.allows(verb, group, &resource, name))
    };
    granted(CONTROL_CLUSTER) || namespaced && (granted(CONTROL_NAMESPACE) || granted(TOOL_GATEWAY))
}

fn verb(method: &Method, name: &str, query: &HashMap<String, String>) -> &'static str {
    match *method {
        Method::GET if query.get("watch").is_some_and(|watch| watch == "true") => "watch",
        Method::GET if name.is_empty() => "list",
        Method::GET => "get",
        Method::POST => "create",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "no verb",
    }
}
