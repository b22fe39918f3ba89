//! Which models a server has, and under which names.

use super::complete::CREATED;
use super::engine::Engine;
use super::error::ApiError;
use serde_json::{Value, json};

/// The name under which the agent asks for a model on every cluster, whichever backend answers.
pub(super) const ALIAS: &str = "portproof-planner";

/// The names of one engine on one backend.
pub(super) struct Served<'a> {
    /// Name of the backend.
    pub(super) backend: &'a str,
    /// The engine behind all names.
    pub(super) engine: Engine,
}

impl Served<'_> {
    fn names(&self) -> [&str; 3] {
        [self.backend, ALIAS, self.engine.name()]
    }

    /// Checks that a model is served.
    ///
    /// # Errors
    /// [`ApiError::UnknownModel`].
    pub(super) fn check(&self, name: &str) -> Result<(), ApiError> {
        if self.names().contains(&name) {
            return Ok(());
        }
        let served: Vec<String> = self
            .names()
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        Err(ApiError::UnknownModel {
            name: name.to_owned(),
            served: served.join(", "),
        })
    }

    /// Body of `GET /v1/models`.
    pub(super) fn list(&self) -> Value {
        let models: Vec<Value> = self.names().iter().map(|name| self.card(name)).collect();
        json!({"object": "list", "data": models})
    }

    /// Body of `GET /v1/models/{id}`.
    ///
    /// # Errors
    /// [`ApiError::UnknownModel`].
    pub(super) fn find(&self, name: &str) -> Result<Value, ApiError> {
        self.check(name).map(|()| self.card(name))
    }

    /// A model, with the engine in `root` as vLLM tells what stands behind a name.
    fn card(&self, name: &str) -> Value {
        json!({
            "id": name,
            "object": "model",
            "created": CREATED,
            "owned_by": "portproof",
            "root": self.engine.name(),
        })
    }
}
