//! Which objects a request for a collection is about.

use serde_json::Value;
use std::collections::HashMap;

/// Collections have an even number of segments after `namespaces/<name>` is taken out; good enough for the kinds used.
pub(super) fn is_collection(path: &str) -> bool {
    let rest = path
        .split('/')
        .skip(if path.starts_with("/apis/") { 4 } else { 3 });
    matches!(
        rest.collect::<Vec<_>>().as_slice(),
        [_] | ["namespaces", _, _]
    )
}

pub(super) fn in_collection(at: &str, collection: &str) -> bool {
    let Some((parent, _)) = at.rsplit_once('/') else {
        return false;
    };
    let plural = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let cluster_wide = !collection.contains("/namespaces/")
        && parent.contains("/namespaces/")
        && plural(parent) == plural(collection);
    parent == collection || cluster_wide
}

pub(super) fn selected(object: &Value, query: &HashMap<String, String>) -> bool {
    let labels = query
        .get("labelSelector")
        .map(String::as_str)
        .unwrap_or_default();
    let fields = query
        .get("fieldSelector")
        .map(String::as_str)
        .unwrap_or_default();
    let label = |term: &str| {
        term.split_once('=')
            .is_none_or(|(key, value)| object["metadata"]["labels"][key] == value)
    };
    let field = |term: &str| {
        term.split_once('=')
            .is_none_or(|(_, value)| object["metadata"]["name"] == value)
    };
    labels.split(',').all(label) && fields.split(',').all(field)
}
