//! Names what an answer rests on.

use super::super::finding::Finding;
use serde_json::Value;

/// `text` with the source of each result behind it.
pub(super) fn named(text: String, findings: &[Finding]) -> String {
    if findings.is_empty() {
        return text;
    }
    let sources: Vec<_> = findings.iter().map(source).collect();
    format!("{text} Sources: {}.", sources.join(", "))
}

fn source(finding: &Finding) -> String {
    let name = name(finding);
    if finding.tool.is_empty() {
        name
    } else {
        format!("{name} ({})", finding.tool)
    }
}

fn name(finding: &Finding) -> String {
    if let Some(hits) = finding.hits() {
        let document = hits.first().and_then(|hit| hit.text("document"));
        return document.unwrap_or("no document").to_owned();
    }
    let named = ["/sku", "/machine", "/name", "/title"]
        .into_iter()
        .find_map(|pointer| finding.text(pointer));
    match (named, &finding.result) {
        (Some(name), _) => name.to_owned(),
        (None, Value::Object(members)) if members.contains_key("stdout") => {
            "a computation".to_owned()
        }
        (None, _) => "a result".to_owned(),
    }
}
