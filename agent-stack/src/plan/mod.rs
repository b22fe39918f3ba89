//! The form of a plan: steps that call tools, with arguments that may refer to what earlier steps returned.
//!
//! The model writes it, the agent checks and carries it out. A step waits for the steps it refers to and for those it
//! names in `after`; steps that wait for nothing run side by side. Inside the arguments of a step
//! - `{"from": "step-1", "pointer": "/hits/0/sku"}` stands for a value of an earlier result (RFC 6901 pointer), and
//! - `{"template": "f({{x}})", "values": {"x": …}}` for a text with those values filled in as JSON.

mod resolve;

pub use resolve::resolve;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Most steps of a plan.
pub const MAX_STEPS: usize = 16;

/// Separates a tool's description from the schema of its result, where a model is offered the tool.
///
/// OpenAI's tool format has no member for the result, and without it no plan can refer into a result.
const RESULT_MARKER: &str = "\nResult schema: ";

/// Why a plan cannot be carried out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Not the JSON of a plan.
    #[error("the plan is not readable: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// More than [`MAX_STEPS`] steps, or none.
    #[error("the plan has {count} steps, it may have 1 to {MAX_STEPS}")]
    Length {
        /// How many it has.
        count: usize,
    },
    /// The planner says that it lacks tools.
    #[error("the task cannot be done, because this is missing: {}", needs.join("; "))]
    Missing {
        /// What is needed.
        needs: Vec<String>,
    },
    /// A step calls a tool that was not offered.
    #[error("step `{step}` calls the tool `{tool}`, which was not offered")]
    UnknownTool {
        /// Id of the step.
        step: String,
        /// The tool.
        tool: String,
    },
    /// Two steps have one id.
    #[error("two steps have the id `{step}`")]
    DuplicateStep {
        /// The id.
        step: String,
    },
    /// An argument refers to a step that has no result yet.
    #[error("an argument refers to `{from}`, which is not an earlier step")]
    UnknownStep {
        /// The id it refers to.
        from: String,
    },
    /// A step waits for one that does not come before it.
    #[error("step `{step}` is to run after `{after}`, which is not an earlier step")]
    UnknownPredecessor {
        /// Id of the step.
        step: String,
        /// The id it names.
        after: String,
    },
    /// The result has nothing at that place.
    #[error("the result of `{from}` has nothing at `{pointer}`")]
    NoValue {
        /// The step.
        from: String,
        /// The place.
        pointer: String,
    },
    /// A template names a value that is not given.
    #[error("the template has no value for `{placeholder}`")]
    Placeholder {
        /// Name of the placeholder.
        placeholder: String,
    },
}

/// What to do for a task. Every step comes after those it waits for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The calls.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What the task needs and no offered tool does; a plan with any cannot be carried out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// One tool call of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Id of the call, for example `step-1`.
    pub id: String,
    /// Name of the tool.
    pub tool: String,
    /// Arguments, with references.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// Steps that must be done first although no argument refers to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
}

impl Plan {
    /// Reads a plan from a model's answer, which may stand in a Markdown code fence.
    ///
    /// # Errors
    /// [`PlanError::Unreadable`].
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        serde_json::from_str(unfenced(text)).map_err(|error| PlanError::Unreadable {
            reason: error.to_string(),
        })
    }

    /// Checks that the plan can be carried out with the tools that `offered` names.
    ///
    /// # Errors
    /// The first reason why it cannot.
    pub fn check(&self, offered: &BTreeSet<String>) -> Result<(), PlanError> {
        if !self.missing.is_empty() {
            return Err(PlanError::Missing {
                needs: self.missing.clone(),
            });
        }
        if self.steps.is_empty() || self.steps.len() > MAX_STEPS {
            return Err(PlanError::Length {
                count: self.steps.len(),
            });
        }
        let mut earlier = BTreeSet::new();
        self.steps
            .iter()
            .try_for_each(|step| step.check(offered, &mut earlier))
    }
}

impl Step {
    /// Ids of the steps that must be done before this one can run.
    pub fn waits_for(&self) -> BTreeSet<&str> {
        let referred = self.arguments.values().flat_map(resolve::references);
        referred
            .chain(self.after.iter().map(String::as_str))
            .collect()
    }

    fn check(
        &self,
        offered: &BTreeSet<String>,
        earlier: &mut BTreeSet<String>,
    ) -> Result<(), PlanError> {
        if !offered.contains(&self.tool) {
            return Err(PlanError::UnknownTool {
                step: self.id.clone(),
                tool: self.tool.clone(),
            });
        }
        self.check_order(earlier)?;
        if !earlier.insert(self.id.clone()) {
            return Err(PlanError::DuplicateStep {
                step: self.id.clone(),
            });
        }
        Ok(())
    }

    fn check_order(&self, earlier: &BTreeSet<String>) -> Result<(), PlanError> {
        let mut referred = self.arguments.values().flat_map(resolve::references);
        if let Some(from) = referred.find(|from| !earlier.contains(*from)) {
            return Err(PlanError::UnknownStep {
                from: from.to_owned(),
            });
        }
        match self.after.iter().find(|after| !earlier.contains(*after)) {
            None => Ok(()),
            Some(after) => Err(PlanError::UnknownPredecessor {
                step: self.id.clone(),
                after: after.clone(),
            }),
        }
    }
}

fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let Some(inner) = text
        .strip_prefix("```")
        .and_then(|rest| rest.strip_suffix("```"))
    else {
        return text;
    };
    inner.strip_prefix("json").unwrap_or(inner).trim()
}

/// A tool's description with the schema of its result.
pub fn describe(description: &str, result_schema: Option<&Value>) -> String {
    match result_schema {
        Some(schema) => format!("{description}{RESULT_MARKER}{schema}"),
        None => description.to_owned(),
    }
}

/// Splits what [`describe`] joined.
pub fn described(text: &str) -> (&str, Option<Value>) {
    match text.split_once(RESULT_MARKER) {
        Some((description, schema)) => (description, serde_json::from_str(schema).ok()),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests;
