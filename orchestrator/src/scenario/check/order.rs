//! Checks of the order: no step needs what none before it made.

use super::super::model::{Action, Fault, PlannedFault, Stack, Step};
use super::super::place::Place;
use super::Problems;
use crate::verify::Role;
use std::collections::{BTreeMap, BTreeSet};

/// What a cluster has got so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Stack,
    Tools,
    Tasks,
    Split,
}

impl State {
    const fn missing(self) -> (&'static str, &'static str) {
        match self {
            Self::Stack => ("no stack", "a `deploy` step before it"),
            Self::Tools => ("no tools", "a `seed` or `carry` step before it"),
            Self::Tasks => ("no tasks", "a `tasks` step before it"),
            Self::Split => ("no canary", "a `canary` step before it"),
        }
    }
}

type States = BTreeMap<Role, BTreeSet<State>>;

pub(super) fn check(
    steps: &[(Step, Place)],
    stack: &Stack,
    faults: &[(PlannedFault, Place)],
    problems: &mut Problems,
) {
    let mut states = States::new();
    for (step, place) in steps {
        require(step, *place, &states, problems);
        not_there_yet(step, *place, &states, problems);
        advance(step, &mut states);
        if step.action == Action::Seed && stack.fixtures.is_empty() {
            problems.add(
                *place,
                format!("step `{}` has nothing to seed", step.id),
                "name the directory of the tools under `spec.stack.tools`",
            );
        }
    }
    for (planned, place) in faults {
        check_transit(planned, *place, steps, problems);
    }
}

fn require(step: &Step, place: Place, states: &States, problems: &mut Problems) {
    for (role, state) in needs(step) {
        if !states.get(role).is_some_and(|has| has.contains(&state)) {
            let (missing, cure) = state.missing();
            let what = format!(
                "step `{}` needs cluster `{role}`, which has {missing} yet",
                step.id
            );
            problems.add(place, what, format!("add {cure}"));
        }
    }
}

/// What is on the target already is not carried: such a step can only ever be inconclusive, so say so before the run.
fn not_there_yet(step: &Step, place: Place, states: &States, problems: &mut Problems) {
    let Action::Carry { to, .. } = &step.action else {
        return;
    };
    if states
        .get(to)
        .is_some_and(|has| has.contains(&State::Tools))
    {
        let what = format!(
            "step `{}` carries to cluster `{to}`, which has the tools already",
            step.id
        );
        problems.add(
            place,
            what,
            "carry to a cluster without a `seed` or `carry` step before it",
        );
    }
}

fn needs(step: &Step) -> Vec<(&Role, State)> {
    let everywhere = |state| step.roles.iter().map(move |role| (role, state)).collect();
    match &step.action {
        Action::Deploy { .. } => Vec::new(),
        Action::Carry { from, to } => vec![(from, State::Tools), (to, State::Stack)],
        Action::Tasks { .. } => everywhere(State::Tools),
        Action::Traces { .. } => everywhere(State::Tasks),
        Action::Rollback(_) => everywhere(State::Split),
        Action::Seed | Action::Canary(_) | Action::Sandbox | Action::Egress => {
            everywhere(State::Stack)
        }
    }
}

fn advance(step: &Step, states: &mut States) {
    let (roles, state): (Vec<&Role>, _) = match &step.action {
        Action::Deploy { .. } => (step.roles.iter().collect(), State::Stack),
        Action::Seed => (step.roles.iter().collect(), State::Tools),
        Action::Carry { to, .. } => (vec![to], State::Tools),
        Action::Tasks { .. } => (step.roles.iter().collect(), State::Tasks),
        Action::Canary(_) => (step.roles.iter().collect(), State::Split),
        Action::Traces { .. } | Action::Rollback(_) | Action::Sandbox | Action::Egress => return,
    };
    for role in roles {
        states.entry(role.clone()).or_default().insert(state);
    }
}

/// A Tool can be changed in transit only where something is imported.
fn check_transit(
    planned: &PlannedFault,
    place: Place,
    steps: &[(Step, Place)],
    problems: &mut Problems,
) {
    let imported = |role: &Role| {
        steps
            .iter()
            .any(|(step, _)| matches!(&step.action, Action::Carry { to, .. } if to == role))
    };
    if planned.fault == Fault::ToolChangedInTransit && !planned.on.iter().all(imported) {
        let what = format!(
            "`{}` stands on a cluster that nothing is carried to",
            planned.fault.word()
        );
        problems.add(place, what, "put it on the `to` of a `carry` step");
    }
}
