//! Checks of single values.

use super::super::place::At;
use super::{Context, Problems};
use crate::verify::Role;
use jiff::SignedDuration;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A constant that the format asks for.
pub(super) fn expect(found: &At<String>, expected: &str, member: &str, problems: &mut Problems) {
    if found.value() != expected {
        problems.add(
            found.place(),
            format!("{member} is `{}`", found.value()),
            format!("write `{member}: {expected}`"),
        );
    }
}

/// A name that may stand in labels, file names and reports.
pub(super) fn name(name: &At<String>, of: &str, problems: &mut Problems) -> String {
    let text = name.value();
    let legal =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let edges = !text.starts_with('-') && !text.ends_with('-');
    if text.is_empty() || text.len() > 50 || !text.chars().all(legal) || !edges {
        problems.add(
            name.place(),
            format!("`{text}` cannot name {of}"),
            "use at most 50 lower-case letters, digits and dashes, no dash at either end",
        );
    }
    text.clone()
}

/// A text that says something.
pub(super) fn text(text: &At<String>, of: &str, problems: &mut Problems) -> String {
    if text.value().trim().is_empty() {
        problems.add(
            text.place(),
            format!("{of} is empty"),
            "write it, or remove what it belongs to",
        );
    }
    text.value().trim().to_owned()
}

/// A duration within limits, `default` when it is not given.
pub(super) fn duration(
    given: Option<&At<String>>,
    default: Duration,
    limits: (Duration, Duration),
    problems: &mut Problems,
) -> Duration {
    let Some(given) = given else { return default };
    let parsed = given
        .value()
        .parse::<SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok());
    match parsed {
        None => {
            let what = format!("`{}` is not a duration", given.value());
            problems.add(
                given.place(),
                what,
                "write a number and a unit, for example `500ms`, `30s` or `2m`",
            );
            default
        }
        Some(duration) if duration < limits.0 || duration > limits.1 => {
            let what = format!("`{}` is out of range", given.value());
            problems.add(
                given.place(),
                what,
                format!("use a duration of {:?} to {:?}", limits.0, limits.1),
            );
            default
        }
        Some(duration) => duration,
    }
}

/// A whole number within limits, `default` when it is not given.
pub(super) fn number(
    given: Option<&At<u32>>,
    default: u32,
    limits: (u32, u32),
    member: &str,
    problems: &mut Problems,
) -> u32 {
    let Some(given) = given else { return default };
    let number = *given.value();
    if number < limits.0 || number > limits.1 {
        problems.add(
            given.place(),
            format!("`{member}` is {number}"),
            format!("use a number of {} to {}", limits.0, limits.1),
        );
        return default;
    }
    number
}

/// A path relative to the scenario's file.
pub(super) fn path(given: &At<String>, directory: &Path, problems: &mut Problems) -> PathBuf {
    directory.join(text(given, "the path", problems))
}

/// A role that the scenario has a cluster for.
pub(super) fn role(
    given: &At<String>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<Role> {
    let known = context
        .roles
        .iter()
        .find(|role| role.as_str() == given.value());
    // Without any cluster that is the problem, and not each step that names one.
    if known.is_none() && !context.roles.is_empty() {
        let roles: Vec<_> = context
            .roles
            .iter()
            .map(|role| format!("`{role}`"))
            .collect();
        let help = format!(
            "the scenario has the clusters {}; add one under `spec.clusters` or use one of them",
            roles.join(", ")
        );
        problems.add(
            given.place(),
            format!("there is no cluster `{}`", given.value()),
            help,
        );
    }
    known.cloned()
}

/// Roles that a step or a deviation names: at least one, none twice.
pub(super) fn roles(
    given: &At<Vec<At<String>>>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Vec<Role> {
    if given.value().is_empty() {
        problems.add(
            given.place(),
            "`on` names no cluster",
            "name at least one role, for example `on: [a]`",
        );
    }
    let mut roles = Vec::new();
    for entry in given.value() {
        let Some(role) = role(entry, context, problems) else {
            continue;
        };
        if roles.contains(&role) {
            problems.add(
                entry.place(),
                format!("the cluster `{role}` is named twice"),
                "name each role once",
            );
        } else {
            roles.push(role);
        }
    }
    roles
}
