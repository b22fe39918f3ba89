//! The tools at hand: fed by whoever sees `Tool` objects, read by every call.

use super::schema::{Schema, SchemaError};
use portproof_proto::tool::{BackendType, Tool, ToolSpec};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Why a `Tool` object is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A schema cannot be used.
    #[error("`{member}` cannot be used")]
    Schema {
        /// `inputSchema` or `outputSchema`.
        member: &'static str,
        /// What is wrong with it.
        #[source]
        source: SchemaError,
    },
    /// The member that the backend's type names is missing.
    #[error("the backend of type {backend:?} has no settings")]
    Backend {
        /// The type.
        backend: BackendType,
    },
    /// Another object has that MCP name.
    #[error("the name `{name}` belongs to the Tool `{owner}`")]
    NameTaken {
        /// The MCP name.
        name: String,
        /// The object that is served under it.
        owner: String,
    },
}

impl Rejection {
    /// The reason of a status condition.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Schema { .. } => "InvalidSchema",
            Self::Backend { .. } => "InvalidBackend",
            Self::NameTaken { .. } => "NameTaken",
        }
    }
}

/// A tool that can be served.
#[derive(Clone, Debug)]
pub(super) struct ServedTool {
    pub(super) spec: ToolSpec,
    pub(super) input: Schema,
    pub(super) output: Option<Schema>,
}

impl ServedTool {
    fn compile(spec: &ToolSpec) -> Result<Self, Rejection> {
        let schema = |member, schema| {
            Schema::compile(schema).map_err(|source| Rejection::Schema { member, source })
        };
        let input = schema("inputSchema", &spec.input_schema)?;
        let output = spec
            .output_schema
            .as_ref()
            .map(|output| schema("outputSchema", output))
            .transpose()?;
        if !has_settings(spec) {
            return Err(Rejection::Backend {
                backend: spec.backend.r#type,
            });
        }
        Ok(Self {
            spec: spec.clone(),
            input,
            output,
        })
    }
}

fn has_settings(spec: &ToolSpec) -> bool {
    match spec.backend.r#type {
        BackendType::Python => spec.backend.python.is_some(),
        BackendType::Documents => spec.backend.documents.is_some(),
        BackendType::Http => spec.backend.http.is_some(),
    }
}

/// One `Tool` object and what can be done with it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) object: Tool,
    compiled: Result<Arc<ServedTool>, Rejection>,
}

/// Every `Tool` object of the namespace, by object name. Of two with one MCP name the one whose object name sorts
/// first is served, so that every replica decides alike.
#[derive(Debug, Default)]
pub struct Registry {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<String, Entry>,
    synced: bool,
}

impl Registry {
    /// Takes in a new or changed object.
    pub fn apply(&self, object: Tool) {
        let entry = Entry {
            compiled: ServedTool::compile(&object.spec).map(Arc::new),
            object,
        };
        self.write()
            .entries
            .insert(object_name(&entry.object), entry);
    }

    /// Forgets a deleted object.
    pub fn remove(&self, object: &Tool) {
        self.write().entries.remove(&object_name(object));
    }

    /// Replaces everything by a complete list; from then on the registry is in sync.
    pub fn replace(&self, objects: Vec<Tool>) {
        let fresh = Self::default();
        for object in objects {
            fresh.apply(object);
        }
        let entries = std::mem::take(&mut fresh.write().entries);
        *self.write() = State {
            entries,
            synced: true,
        };
    }

    /// Whether a complete list has been seen.
    pub fn is_synced(&self) -> bool {
        self.read().synced
    }

    /// Every object with why it is not served, if it is not.
    pub(super) fn verdicts(&self) -> Vec<(Tool, Result<(), Rejection>)> {
        let state = self.read();
        state
            .entries
            .iter()
            .map(|(name, entry)| (entry.object.clone(), state.verdict(name, entry)))
            .collect()
    }

    /// The served tools by MCP name.
    pub(super) fn served(&self) -> BTreeMap<String, Arc<ServedTool>> {
        let mut served = BTreeMap::new();
        for tool in self
            .read()
            .entries
            .values()
            .filter_map(|entry| entry.compiled.as_ref().ok())
        {
            served
                .entry(tool.spec.name.clone())
                .or_insert_with(|| Arc::clone(tool));
        }
        served
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn verdict(&self, object: &str, entry: &Entry) -> Result<(), Rejection> {
        let tool = entry.compiled.as_ref().map_err(Clone::clone)?;
        let mut holders = self.entries.iter().filter(|(_, other)| {
            other
                .compiled
                .as_ref()
                .is_ok_and(|other| other.spec.name == tool.spec.name)
        });
        match holders.next() {
            Some((owner, _)) if owner != object => Err(Rejection::NameTaken {
                name: tool.spec.name.clone(),
                owner: owner.clone(),
            }),
            _ => Ok(()),
        }
    }
}

fn object_name(object: &Tool) -> String {
    object.metadata.name.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tool(object: &str, name: &str, schema: &serde_json::Value) -> Tool {
        let spec = serde_json::from_value(
            json!({"name": name, "description": "d", "inputSchema": schema,
            "backend": {"type": "Documents", "documents": {"configMapName": "c", "queryArgument": "q", "limit": 1}}}),
        );
        Tool::new(object, spec.unwrap())
    }

    fn rejections(registry: &Registry) -> Vec<Option<&'static str>> {
        registry
            .verdicts()
            .iter()
            .map(|(_, verdict)| verdict.as_ref().err().map(Rejection::reason))
            .collect()
    }

    #[test]
    fn the_registry_is_in_sync_once_it_saw_everything() {
        let registry = Registry::default();
        assert!(!registry.is_synced());
        registry.replace(vec![tool("a", "x", &json!({"type": "object"}))]);
        assert!(registry.is_synced());
        assert_eq!(registry.served().keys().collect::<Vec<_>>(), ["x"]);
    }

    #[test]
    fn of_two_objects_with_one_name_the_first_is_served_until_it_goes() {
        let registry = Registry::default();
        let first = tool("a", "x", &json!({"type": "object"}));
        registry.replace(vec![
            tool("b", "x", &json!({"type": "object"})),
            first.clone(),
        ]);
        assert_eq!(rejections(&registry), [None, Some("NameTaken")]);
        registry.remove(&first);
        assert_eq!(rejections(&registry), [None]);
    }

    #[test]
    fn an_object_with_a_bad_schema_or_without_backend_is_not_served() {
        let registry = Registry::default();
        let mut bare = tool("b", "y", &json!({"type": "object"}));
        bare.spec.backend.documents = None;
        registry.replace(vec![tool("a", "x", &json!({"type": 7})), bare]);
        assert_eq!(
            rejections(&registry),
            [Some("InvalidSchema"), Some("InvalidBackend")]
        );
        assert!(registry.served().is_empty());
    }
}
