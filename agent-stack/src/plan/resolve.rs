//! Fills the results of earlier steps into the arguments of a later one.

use super::PlanError;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Replaces every reference in `arguments` by what it refers to in `results`, which are keyed by step id.
///
/// # Errors
/// When a reference points to nothing.
pub fn resolve(
    arguments: &Map<String, Value>,
    results: &BTreeMap<String, Value>,
) -> Result<Map<String, Value>, PlanError> {
    arguments
        .iter()
        .map(|(name, argument)| Ok((name.clone(), resolve_value(argument, results)?)))
        .collect()
}

/// Ids of the steps that `argument` refers to, in the order they stand there.
pub(super) fn references(argument: &Value) -> Vec<&str> {
    match Form::of(argument) {
        Form::Reference { from, .. } => vec![from],
        Form::Leaf => Vec::new(),
        Form::Template { values, .. } | Form::Members(values) => {
            values.values().flat_map(references).collect()
        }
        Form::Items(items) => items.iter().flat_map(references).collect(),
    }
}

/// What an argument is, read once for finding references and for resolving them.
enum Form<'a> {
    Reference {
        from: &'a str,
        pointer: &'a str,
    },
    Template {
        template: &'a str,
        values: &'a Map<String, Value>,
    },
    Members(&'a Map<String, Value>),
    Items(&'a [Value]),
    Leaf,
}

impl<'a> Form<'a> {
    fn of(argument: &'a Value) -> Self {
        match argument {
            Value::Object(members) => Self::of_object(members),
            Value::Array(items) => Self::Items(items),
            _ => Self::Leaf,
        }
    }

    fn of_object(members: &'a Map<String, Value>) -> Self {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let pair = members.len() == 2;
        match (
            text("from"),
            text("pointer"),
            text("template"),
            members.get("values").and_then(Value::as_object),
        ) {
            (Some(from), Some(pointer), _, _) if pair => Self::Reference { from, pointer },
            (_, _, Some(template), Some(values)) if pair => Self::Template { template, values },
            _ => Self::Members(members),
        }
    }
}

fn resolve_value(argument: &Value, results: &BTreeMap<String, Value>) -> Result<Value, PlanError> {
    match Form::of(argument) {
        Form::Reference { from, pointer } => look_up(from, pointer, results),
        Form::Template { template, values } => {
            fill(template, &resolve(values, results)?).map(Value::String)
        }
        Form::Members(members) => resolve(members, results).map(Value::Object),
        Form::Items(items) => items
            .iter()
            .map(|item| resolve_value(item, results))
            .collect(),
        Form::Leaf => Ok(argument.clone()),
    }
}

fn look_up(
    from: &str,
    pointer: &str,
    results: &BTreeMap<String, Value>,
) -> Result<Value, PlanError> {
    let result = results.get(from).ok_or_else(|| PlanError::UnknownStep {
        from: from.to_owned(),
    })?;
    let found = result.pointer(pointer);
    found.cloned().ok_or_else(|| PlanError::NoValue {
        from: from.to_owned(),
        pointer: pointer.to_owned(),
    })
}

/// Fills JSON values into `{{name}}`; they stay literals there, so a text cannot break out of its quotes.
fn fill(template: &str, values: &Map<String, Value>) -> Result<String, PlanError> {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, tail)) = after.split_once("}}") else {
            break;
        };
        let value = values.get(name).ok_or_else(|| PlanError::Placeholder {
            placeholder: name.to_owned(),
        })?;
        text.push_str(before);
        text.push_str(&value.to_string());
        rest = tail;
    }
    text.push_str(rest);
    Ok(text)
}
