//! MCP descriptors as they were read: raw JSON first, the contract derived from it second.
//!
//! Digests are taken over the raw JSON because typed MCP models drop members they do not know.

use crate::canonical::{self, CanonicalError, Digest};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What one MCP server said of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct McpDescriptor {
    /// Name of the server: the Service that answers for it.
    pub server: String,
    /// Raw result of `server/discover` (revision 2026-07-28).
    pub discover: Value,
    /// Raw `tools` members of every page of `tools/list`, in the order they came.
    pub tools: Vec<Value>,
}

impl McpDescriptor {
    /// Digest of each tool's contract (`name`, `inputSchema`, `outputSchema`), by tool name.
    ///
    /// # Errors
    /// When a schema has no canonical form.
    pub fn contracts(&self) -> Result<BTreeMap<String, Digest>, CanonicalError> {
        self.digests(&["name", "inputSchema", "outputSchema"])
    }

    /// Digest of all a model sees of each tool: the contract, title, description and annotations.
    ///
    /// # Errors
    /// When a tool has no canonical form.
    pub fn behaviours(&self) -> Result<BTreeMap<String, Digest>, CanonicalError> {
        self.digests(&[
            "name",
            "title",
            "description",
            "inputSchema",
            "outputSchema",
            "annotations",
        ])
    }

    fn digests(&self, members: &[&str]) -> Result<BTreeMap<String, Digest>, CanonicalError> {
        self.tools
            .iter()
            .map(|tool| Ok((tool_name(tool), canonical::digest(&pick(tool, members))?)))
            .collect()
    }
}

fn tool_name(tool: &Value) -> String {
    tool.get("name")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn pick(tool: &Value, members: &[&str]) -> Value {
    let mut picked = json!({});
    for member in members {
        if let Some(value) = tool.get(member) {
            picked[*member] = value.clone();
        }
    }
    picked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(tool: Value) -> McpDescriptor {
        McpDescriptor {
            server: "tool-gateway".into(),
            discover: json!({}),
            tools: vec![tool],
        }
    }

    #[test]
    fn a_new_description_changes_the_behaviour_but_not_the_contract() {
        let one =
            descriptor(json!({"name": "t", "description": "x", "inputSchema": {"type": "object"}}));
        let other =
            descriptor(json!({"name": "t", "description": "y", "inputSchema": {"type": "object"}}));
        assert_eq!(one.contracts().unwrap(), other.contracts().unwrap());
        assert_ne!(one.behaviours().unwrap(), other.behaviours().unwrap());
    }

    #[test]
    fn metadata_of_the_transport_changes_neither() {
        let one = descriptor(json!({"name": "t", "inputSchema": {}, "_meta": {"a": 1}}));
        let other = descriptor(json!({"name": "t", "inputSchema": {}}));
        assert_eq!(one.behaviours().unwrap(), other.behaviours().unwrap());
    }
}
