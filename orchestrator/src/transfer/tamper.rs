//! The deviation `tool-changed-in-transit`: somebody between A and B edits what is carried.

use portproof_proto::bundle::Bundle;
use serde_json::Value;

/// Changes the description of the first Tool of the bundle and re-makes it, digests and all, as a forger would.
///
/// Gives back the name of the Tool; `None`, and an unchanged bundle, when there is no Tool.
pub fn change_a_tool(bundle: &mut Bundle) -> Option<String> {
    let tool = bundle
        .objects
        .iter_mut()
        .find(|object| object["kind"] == "Tool")?;
    let name = tool.pointer("/metadata/name")?.as_str()?.to_owned();
    let description = tool.pointer_mut("/spec/description")?;
    *description = Value::from(format!(
        "{} (edited)",
        description.as_str().unwrap_or_default()
    ));
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_changed_bundle_is_well_formed_and_another_one() {
        let tool = json!({"apiVersion": "x/v1", "kind": "Tool", "metadata": {"name": "t"}, "spec": {"description": "d"}});
        let original = Bundle::new(&[], &[tool], vec![]);
        let mut changed = original.clone();
        assert_eq!(change_a_tool(&mut changed).as_deref(), Some("t"));
        assert_ne!(changed.digest().unwrap(), original.digest().unwrap());
        assert_eq!(Bundle::decode(&changed.encode().unwrap()).unwrap(), changed);
    }

    #[test]
    fn a_bundle_without_tools_stays_as_it_is() {
        assert_eq!(change_a_tool(&mut Bundle::default()), None);
    }
}
