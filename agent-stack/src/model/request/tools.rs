//! The offered tools and whether the answer has to call one.

use crate::model::error::ApiError;
use crate::model::openai::ToolOffer;
use crate::strict_json::{self, StrictJsonError};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// Longest name of a tool. MCP's limit (SEP-986) and not OpenAI's 64: what the gateway lists can be offered.
const MAX_NAME: usize = 128;

/// Whether the answer calls tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::model) enum ToolChoice {
    /// It never does.
    None,
    /// As the engine sees fit.
    #[default]
    Auto,
    /// It calls at least one.
    Required,
    /// It calls this one.
    Named(String),
}

/// Checks the offered tools.
///
/// # Errors
/// The first tool that cannot be offered.
pub(super) fn check(offers: &[ToolOffer]) -> Result<(), ApiError> {
    let mut names = BTreeSet::new();
    for (index, offer) in offers.iter().enumerate() {
        check_offer(index, offer)?;
        if !names.insert(&offer.function.name) {
            let reason = format!("is `{}`, as another tool has", offer.function.name);
            return Err(ApiError::value(function(index, "name"), reason));
        }
    }
    Ok(())
}

fn check_offer(index: usize, offer: &ToolOffer) -> Result<(), ApiError> {
    if offer.r#type != "function" {
        let reason = format!("is `{}`; only `function` is known", offer.r#type);
        return Err(ApiError::value(format!("tools[{index}].type"), reason));
    }
    let name = &offer.function.name;
    let known = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(known) {
        let reason = format!(
            "is no name of 1 to {MAX_NAME} letters, digits, underscores, hyphens, dots and slashes"
        );
        return Err(ApiError::value(function(index, "name"), reason));
    }
    let parameters = &offer.function.parameters;
    if !parameters.is_null() && !parameters.is_object() {
        let reason = "is no JSON Schema: it has to be an object";
        return Err(ApiError::value(function(index, "parameters"), reason));
    }
    Ok(())
}

fn function(index: usize, member: &str) -> String {
    format!("tools[{index}].function.{member}")
}

#[derive(Deserialize)]
struct NamedChoice {
    function: NamedFunction,
}

#[derive(Deserialize)]
struct NamedFunction {
    name: String,
}

/// Reads `tool_choice`; what is not given is `auto`.
///
/// # Errors
/// When it is none of the four forms, or names what is not offered.
pub(super) fn choice(given: Option<&Value>, offers: &[ToolOffer]) -> Result<ToolChoice, ApiError> {
    let choice = match given {
        None => ToolChoice::Auto,
        Some(Value::String(mode)) => mode_of(mode)?,
        Some(Value::Object(object)) if object.get("type") != Some(&"function".into()) => {
            return Err(ApiError::value("tool_choice.type", "has to be `function`"));
        }
        Some(object) => named(object)?,
    };
    check_offered(&choice, offers)?;
    Ok(choice)
}

fn mode_of(mode: &str) -> Result<ToolChoice, ApiError> {
    match mode {
        "none" => Ok(ToolChoice::None),
        "auto" => Ok(ToolChoice::Auto),
        "required" => Ok(ToolChoice::Required),
        _ => {
            let reason =
                format!("is `{mode}`; it is `none`, `auto`, `required` or names a function");
            Err(ApiError::value("tool_choice", reason))
        }
    }
}

fn named(object: &Value) -> Result<ToolChoice, ApiError> {
    let read: Result<NamedChoice, StrictJsonError> = strict_json::from_value(object);
    read.map(|choice| ToolChoice::Named(choice.function.name))
        .map_err(|error| error.below("tool_choice").into())
}

fn check_offered(choice: &ToolChoice, offers: &[ToolOffer]) -> Result<(), ApiError> {
    match choice {
        ToolChoice::Required if offers.is_empty() => {
            let reason = "is `required`, but no `tools` are offered";
            Err(ApiError::value("tool_choice", reason))
        }
        ToolChoice::Named(name) if !offers.iter().any(|offer| offer.function.name == *name) => {
            let reason = format!("is `{name}`, which is not among the `tools`");
            Err(ApiError::value("tool_choice.function.name", reason))
        }
        _ => Ok(()),
    }
}
