//! Checks of the steps: ids, places, one action each.

use super::super::file::StepEntry;
use super::super::model::{Action, Step};
use super::super::place::{At, Place};
use super::{Context, Problems, actions, value};
use crate::verify::Role;

/// The steps that are well formed, each with the place of its id.
pub(super) fn steps(
    given: &At<Vec<At<StepEntry>>>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Vec<(Step, Place)> {
    if given.value().is_empty() {
        problems.add(
            given.place(),
            "there is no step",
            "add one, for example `- {id: stack, on: [a], deploy: {}}`",
        );
    }
    let mut steps: Vec<(Step, Place)> = Vec::new();
    for entry in given.value() {
        let id = &entry.value().id;
        if steps.iter().any(|(other, _)| other.id == *id.value()) {
            problems.add(
                id.place(),
                format!("two steps have the id `{}`", id.value()),
                "give each step an id of its own",
            );
        }
        steps.extend(step(entry, context, problems).map(|step| (step, id.place())));
    }
    steps
}

fn step(entry: &At<StepEntry>, context: &Context<'_>, problems: &mut Problems) -> Option<Step> {
    let id = value::name(&entry.value().id, "a step", problems);
    let named = actions::named(entry.value());
    let [name] = named.as_slice() else {
        let what = match named.as_slice() {
            [] => format!("step `{id}` has no action"),
            several => format!(
                "step `{id}` has {} actions: {}",
                several.len(),
                several.join(", ")
            ),
        };
        problems.add(
            entry.value().id.place(),
            what,
            format!("give it exactly one of {}", actions::NAMES.join(", ")),
        );
        return None;
    };
    if *name == "carry" {
        carry(id, entry, context, problems)
    } else {
        on(id, name, entry, context, problems)
    }
}

/// A step that runs on the clusters under `on`.
fn on(
    id: String,
    name: &str,
    entry: &At<StepEntry>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<Step> {
    let StepEntry { on, from, to, .. } = entry.value();
    for stray in [from, to].into_iter().flatten() {
        problems.add(
            stray.place(),
            format!("`from` and `to` mean nothing to `{name}`"),
            "use `on`",
        );
    }
    let action = actions::action(entry.value(), problems)?;
    let Some(on) = on else {
        let what = format!("step `{id}` does not say where it runs");
        problems.add(
            entry.value().id.place(),
            what,
            "add the roles, for example `on: [a]`",
        );
        return None;
    };
    let roles = value::roles(on, context, problems);
    Some(Step { id, roles, action })
}

/// A carry, which has a direction.
fn carry(
    id: String,
    entry: &At<StepEntry>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<Step> {
    let StepEntry {
        on,
        from,
        to,
        id: place,
        ..
    } = entry.value();
    if let Some(on) = on {
        problems.add(
            on.place(),
            "`carry` has a direction",
            "write `from` and `to` instead of `on`",
        );
    }
    let (Some(from), Some(to)) = (from, to) else {
        problems.add(
            place.place(),
            format!("step `{id}` does not say what it carries where"),
            "add `from: a` and `to: b`",
        );
        return None;
    };
    let (source, target) = (
        value::role(from, context, problems),
        value::role(to, context, problems),
    );
    let (source, target) = (source?, target?);
    if source == target {
        problems.add(
            to.place(),
            format!("step `{id}` carries from `{source}` to itself"),
            "name another cluster",
        );
    }
    Some(Step {
        id,
        roles: both(&source, &target),
        action: Action::Carry {
            from: source,
            to: target,
        },
    })
}

fn both(source: &Role, target: &Role) -> Vec<Role> {
    vec![source.clone(), target.clone()]
}
