//! Checks of what the actions say.

use super::super::file::{self, StepEntry};
use super::super::model::{Action, CanaryPlan, ROLLBACK_LEAD, RollbackPlan, Task};
use super::super::place::At;
use super::{Problems, value};
use crate::verify::gateway::{CONFIRMATIONS, Interval, RollbackGoal, wilson};
use std::time::Duration;

/// Every action, as written in files.
pub(super) const NAMES: [&str; 9] = [
    "deploy", "seed", "carry", "tasks", "traces", "canary", "rollback", "sandbox", "egress",
];

const HOUR: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);
const REQUESTS: u32 = 4_000;
const MOST_REQUESTS: u32 = 1_000_000;
const RATE: u32 = 800;
/// A gateway may choose a version for each connection: so many miss a canary of ten percent once in 40,000 runs.
const CONNECTIONS: u32 = 100;

/// The actions a step names.
pub(super) fn named(step: &StepEntry) -> Vec<&'static str> {
    let given = [
        step.deploy.is_some(),
        step.seed.is_some(),
        step.carry.is_some(),
        step.tasks.is_some(),
        step.traces.is_some(),
        step.canary.is_some(),
        step.rollback.is_some(),
        step.sandbox.is_some(),
        step.egress.is_some(),
    ];
    NAMES
        .into_iter()
        .zip(given)
        .filter_map(|(name, given)| given.then_some(name))
        .collect()
}

/// The action of a step that names exactly one, and not `carry`.
pub(super) fn action(step: &StepEntry, problems: &mut Problems) -> Option<Action> {
    if let Some(deploy) = &step.deploy {
        let deadline = deadline(
            deploy.value().deadline.as_ref(),
            Duration::from_mins(2),
            problems,
        );
        return Some(Action::Deploy { deadline });
    }
    if let Some(traces) = &step.traces {
        let deadline = deadline(
            traces.value().deadline.as_ref(),
            Duration::from_secs(30),
            problems,
        );
        return Some(Action::Traces { deadline });
    }
    if let Some(tasks) = &step.tasks {
        return Some(Action::Tasks {
            items: items(tasks.value(), problems),
        });
    }
    if let Some(canary) = &step.canary {
        return Some(Action::Canary(self::canary(canary, problems)));
    }
    if let Some(rollback) = &step.rollback {
        return Some(Action::Rollback(self::rollback(rollback, problems)));
    }
    let plain = [
        (&step.seed, Action::Seed),
        (&step.sandbox, Action::Sandbox),
        (&step.egress, Action::Egress),
    ];
    plain
        .into_iter()
        .find_map(|(given, action)| given.is_some().then_some(action))
}

fn deadline(given: Option<&At<String>>, default: Duration, problems: &mut Problems) -> Duration {
    value::duration(given, default, (SECOND, HOUR), problems)
}

fn items(tasks: &file::Tasks, problems: &mut Problems) -> Vec<Task> {
    let deadline = deadline(tasks.deadline.as_ref(), Duration::from_mins(1), problems);
    if tasks.items.value().is_empty() {
        problems.add(
            tasks.items.place(),
            "there is no task",
            "add one, for example `{id: seal-price, prompt: \"...\"}`",
        );
    }
    let mut items: Vec<Task> = Vec::new();
    for entry in tasks.items.value() {
        let file::TaskEntry { id, prompt } = entry.value();
        if items.iter().any(|other| other.id == *id.value()) {
            problems.add(
                id.place(),
                format!("two tasks have the id `{}`", id.value()),
                "give each task an id of its own",
            );
        }
        let prompt = value::text(prompt, "a prompt", problems);
        items.push(Task {
            id: value::name(id, "a task", problems),
            prompt,
            deadline,
        });
    }
    items
}

fn canary(given: &At<file::Canary>, problems: &mut Problems) -> CanaryPlan {
    let before = problems.0.len();
    let file::Canary {
        weights,
        requests,
        rate,
        tolerance,
        connections,
    } = given.value();
    let plan = CanaryPlan {
        weights: self::weights(weights, problems),
        requests: value::number(
            requests.as_ref(),
            REQUESTS,
            (1, MOST_REQUESTS),
            "requests",
            problems,
        ),
        rate: value::number(rate.as_ref(), RATE, (1, 100_000), "rate", problems),
        connections: value::number(
            connections.as_ref(),
            CONNECTIONS,
            (1, 1_000),
            "connections",
            problems,
        ),
        tolerance: self::tolerance(tolerance.as_ref(), problems),
    };
    // With a value out of range the plan is not the one that was meant.
    if problems.0.len() == before {
        decidable(&plan, requests.as_ref(), given, problems);
    }
    plan
}

fn weights(given: &At<file::Weights>, problems: &mut Problems) -> (u32, u32) {
    // Gateway API allows weights up to 1,000,000 (`HTTPBackendRef.weight`).
    let file::Weights { stable, canary } = *given.value();
    if stable == 0 && canary == 0 {
        problems.add(
            given.place(),
            "both weights are 0, so the route serves nobody",
            "give one of them a weight",
        );
        return (1, 0);
    }
    if stable.max(canary) > 1_000_000 {
        problems.add(
            given.place(),
            "a weight is above 1000000",
            "Gateway API allows 0 to 1000000; use the same ratio in smaller numbers",
        );
    }
    (stable, canary)
}

fn tolerance(given: Option<&At<f64>>, problems: &mut Problems) -> f64 {
    const POINTS: f64 = 2.0;
    let Some(given) = given else {
        return POINTS / 100.0;
    };
    let points = *given.value();
    if !(0.1..=50.0).contains(&points) {
        problems.add(
            given.place(),
            format!("`tolerance` is {points}"),
            "use 0.1 to 50 percentage points",
        );
        return POINTS / 100.0;
    }
    points / 100.0
}

/// A plan with too few requests can only ever be inconclusive: say so before the run.
fn decidable(
    plan: &CanaryPlan,
    requests: Option<&At<u32>>,
    given: &At<file::Canary>,
    problems: &mut Problems,
) {
    let needed = needed_requests(plan);
    if needed.is_some_and(|needed| plan.requests >= needed) {
        return;
    }
    let place = requests.map_or_else(|| given.place(), At::place);
    let what = format!(
        "{} requests can never prove ± {:.1} points",
        plan.requests,
        plan.tolerance * 100.0
    );
    let help = needed.map_or_else(
        || "allow a wider tolerance".to_owned(),
        |needed| format!("ask for at least {needed} requests, or allow a wider tolerance"),
    );
    problems.add(place, what, help);
}

/// The number of requests from which on a route that serves exactly its weights passes, up to the most a plan may have.
fn needed_requests(plan: &CanaryPlan) -> Option<u32> {
    let goal = plan.goal();
    let band = Interval::around(goal.canary_share, goal.tolerance);
    let passes = |requests: &u32| {
        let hits = (f64::from(*requests) * goal.canary_share).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a u32"
        )]
        let hits = hits as u64;
        wilson(
            hits.min(u64::from(*requests)),
            u64::from(*requests),
            goal.confidence,
        )
        .inside(&band)
    };
    (1..=100)
        .map(|step| step * 100)
        .chain((11..=MOST_REQUESTS / 1_000).map(|step| step * 1_000))
        .find(passes)
}

fn rollback(given: &At<file::Rollback>, problems: &mut Problems) -> RollbackPlan {
    let before = problems.0.len();
    let file::Rollback {
        requests,
        rate,
        connections,
        budget,
        dead_man,
    } = given.value();
    let plan = RollbackPlan {
        requests: value::number(
            requests.as_ref(),
            REQUESTS,
            (1, MOST_REQUESTS),
            "requests",
            problems,
        ),
        rate: value::number(rate.as_ref(), RATE, (1, 100_000), "rate", problems),
        connections: value::number(
            connections.as_ref(),
            CONNECTIONS,
            (1, 1_000),
            "connections",
            problems,
        ),
        lead: ROLLBACK_LEAD,
        budget: value::duration(
            budget.as_ref(),
            RollbackGoal::default().budget,
            (Duration::ZERO, HOUR),
            problems,
        ),
        dead_man: value::duration(
            dead_man.as_ref(),
            Duration::from_mins(1),
            (SECOND, HOUR),
            problems,
        ),
    };
    if problems.0.len() == before {
        long_enough(&plan, given, problems);
    }
    plan
}

/// The load must go on until the verdict is certain, and the route must not restore itself meanwhile.
fn long_enough(plan: &RollbackPlan, given: &At<file::Rollback>, problems: &mut Problems) {
    if plan.length() < plan.needed() {
        let what = format!(
            "the load of {:.1} s ends before a verdict is possible, after {:.1} s",
            plan.length().as_secs_f64(),
            plan.needed().as_secs_f64()
        );
        let help = format!(
            "ask for more requests: 1 s of load, the budget, and {CONFIRMATIONS} requests more"
        );
        problems.add(given.place(), what, help);
    }
    if plan.dead_man < plan.length() {
        let what = "the dead man's time is shorter than the load";
        problems.add(
            given.place(),
            what,
            format!(
                "use a `deadMan` above {:.0} s",
                plan.length().as_secs_f64().ceil()
            ),
        );
    }
}
