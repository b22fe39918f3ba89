//! Event logs of finished runs, made with the real rules from the rules' own good and broken evidence.

use crate::run::event::{Event, EventKind, FORMAT, StepOutcome};
use crate::verify::catalogue::{PLAN_TO_TOOL, ROLLBACK};
use crate::verify::egress::{self, egress_basic};
use crate::verify::evidence::{RuntimeEvidence, TrafficFailure};
use crate::verify::gateway::{self, RollbackGoal, WeightGoal, canary_weight, rollback};
use crate::verify::portability::{
    self, OutputGoal, import_identical, output_consistent, tools_discovered,
};
use crate::verify::sandbox::{self, runtime};
use crate::verify::traces::{self, TracedTask, plan_to_tool};
use crate::verify::{CheckResult, Role};
use jiff::Timestamp;

/// The n-th event of a log, so many milliseconds after its start.
fn at(seq: u64, milliseconds: i64, kind: EventKind) -> Event {
    let start = Timestamp::from_second(1_769_000_000).unwrap();
    Event {
        seq,
        at: start + jiff::SignedDuration::from_millis(milliseconds),
        kind,
    }
}

/// An event for rules that look at nothing but its kind.
pub(super) fn event(kind: EventKind) -> Event {
    at(1_000, 60_000, kind)
}

/// Steps, each with its roles, its length and what it found.
type Script = Vec<(
    &'static str,
    &'static [&'static str],
    i64,
    StepOutcome,
    Vec<CheckResult>,
)>;

fn role(name: &str) -> Role {
    Role::new(name).unwrap()
}

/// A result on each of both clusters.
fn both(a: CheckResult, b: CheckResult) -> Vec<CheckResult> {
    vec![a.on(&role("a")), b.on(&role("b"))]
}

fn twice(result: &CheckResult) -> Vec<CheckResult> {
    both(result.clone(), result.clone())
}

/// The canary's answers, scattered as a random balancer scatters them.
fn scattered(percent: u32) -> CheckResult {
    let record = gateway::fixture::record(4_000, |index| {
        index.wrapping_mul(2_654_435_761) >> 16 & 0x3ff < percent * 1_024 / 100
    });
    canary_weight(
        &record,
        &WeightGoal {
            canary_share: 0.1,
            tolerance: 0.02,
            confidence: 0.95,
        },
    )
}

fn rolled_back(last_ms: u64, residual: u32) -> CheckResult {
    let record = gateway::fixture::rolled_back(last_ms * 1_000_000, residual);
    rollback(
        &record,
        &gateway::fixture::change(),
        &RollbackGoal::default(),
    )
}

fn traced() -> CheckResult {
    let (transcript, trace) = (traces::fixture::transcript(), traces::fixture::trace());
    plan_to_tool(
        &[TracedTask {
            transcript: &transcript,
            trace: &trace,
        }],
        traces::fixture::CLUSTER,
    )
}

fn sandboxed() -> CheckResult {
    runtime(&RuntimeEvidence {
        sandbox: Ok(sandbox::tests::gvisor()),
        control: Ok(sandbox::tests::control()),
    })
}

fn carried() -> Vec<CheckResult> {
    vec![import_identical(&portability::fixture::carry())]
}

fn worked() -> Vec<CheckResult> {
    let task = [portability::fixture::seal_price()];
    let mut results = twice(&tools_discovered(&portability::fixture::bundle(), &task));
    results.push(output_consistent(&task, &task, OutputGoal::default()));
    results
}

/// A whole rehearsal in which everything holds.
pub(super) fn passing_run() -> Vec<Event> {
    let done = || StepOutcome::Completed;
    let (both_roles, a): (&[&str], &[&str]) = (&["a", "b"], &["a"]);
    log(
        &[],
        0,
        vec![
            ("stack", both_roles, 11_400, done(), vec![]),
            ("tools", a, 900, done(), vec![]),
            ("carry", both_roles, 1_300, done(), carried()),
            ("tasks", both_roles, 2_700, done(), worked()),
            ("traces", both_roles, 650, done(), twice(&traced())),
            (
                "canary",
                both_roles,
                5_600,
                done(),
                both(scattered(10), canary_weight_of_round_robin()),
            ),
            (
                "rollback",
                both_roles,
                5_900,
                done(),
                both(rolled_back(134, 0), rolled_back(41, 0)),
            ),
            ("sandbox", both_roles, 400, done(), twice(&sandboxed())),
            (
                "egress",
                both_roles,
                9_100,
                done(),
                twice(&egress_basic(&egress::tests::good())),
            ),
        ],
    )
}

fn canary_weight_of_round_robin() -> CheckResult {
    canary_weight(
        &gateway::fixture::split(4_000, 10),
        &WeightGoal {
            canary_share: 0.1,
            tolerance: 0.02,
            confidence: 0.95,
        },
    )
}

/// A run broken on purpose in which every kind of verdict occurs, with names and reasons that try to break out.
#[expect(clippy::too_many_lines, reason = "a list of events")]
pub(super) fn failing_run() -> Vec<Event> {
    let done = || StepOutcome::Completed;
    let (both_roles, b): (&[&str], &[&str]) = (&["a", "b"], &["b"]);
    let mut carry = portability::fixture::carry();
    carry.target.objects[1]["spec"]["description"] = "<script>alert(1)</script>".into();
    let mut leak = egress::tests::good();
    leak[6].received = Some(true);
    let mut refused = gateway::fixture::split(4_000, 10);
    gateway::fixture::fail(&mut refused, 0..60, TrafficFailure::Dropped, None);
    let saturated = canary_weight(
        &refused,
        &WeightGoal {
            canary_share: 0.1,
            tolerance: 0.02,
            confidence: 0.95,
        },
    );
    let (transcript, mut trace) = (traces::fixture::transcript(), traces::fixture::trace());
    trace.spans.retain(|span| span.span_id != "server-0");
    trace
        .spans
        .iter_mut()
        .filter(|span| span.span_id == "code")
        .for_each(|span| span.parent_span_id.clear());
    let untraced = plan_to_tool(
        &[TracedTask {
            transcript: &transcript,
            trace: &trace,
        }],
        traces::fixture::CLUSTER,
    );
    let lost =
        PLAN_TO_TOOL.error("the relay of cluster b broke off: \u{1b}[31mconnection reset\u{0}");
    log(
        &["route-weights-skewed on a", "tool-changed-in-transit on b"],
        8,
        vec![
            ("stack", both_roles, 11_400, done(), vec![]),
            (
                "carry",
                both_roles,
                1_300,
                done(),
                vec![import_identical(&carry)],
            ),
            ("traces", both_roles, 30_200, done(), both(untraced, lost)),
            (
                "canary",
                both_roles,
                5_600,
                done(),
                both(scattered(16), saturated),
            ),
            (
                "rollback",
                both_roles,
                5_900,
                done(),
                both(
                    rolled_back(134, 5),
                    ROLLBACK.skipped("the canary was not set"),
                ),
            ),
            (
                "egress",
                both_roles,
                9_100,
                done(),
                both(egress_basic(&egress::tests::good()), egress_basic(&leak)),
            ),
            (
                "sandbox",
                b,
                4_000,
                StepOutcome::Error {
                    message: "the pod interpreter-7f9 is gone: not found".into(),
                },
                vec![],
            ),
        ],
    )
}

#[expect(clippy::too_many_lines, reason = "a list of events")]
fn log(faults: &[&str], exit_code: u8, script: Script) -> Vec<Event> {
    let mut kinds = vec![
        (0, started(faults)),
        (120, resolved("a", "traefik")),
        (130, resolved("b", "envoy")),
    ];
    let mut clock = 200;
    for (id, roles, length, outcome, checks) in script {
        let step = id.to_owned();
        kinds.push((
            clock,
            EventKind::StepStarted {
                step: step.clone(),
                roles: roles.iter().map(|name| role(name)).collect(),
            },
        ));
        let message = format!("{id} is under way");
        kinds.push((
            clock + 50,
            EventKind::StepProgress {
                step: step.clone(),
                role: Some(role(roles[0])),
                message,
            },
        ));
        clock += length;
        for check in checks {
            kinds.push((
                clock,
                EventKind::CheckFinished {
                    step: step.clone(),
                    check: Box::new(check),
                },
            ));
        }
        let elapsed_ms = length.unsigned_abs();
        kinds.push((
            clock,
            EventKind::StepFinished {
                step,
                elapsed_ms,
                outcome,
            },
        ));
    }
    let left = if exit_code == 0 {
        vec![]
    } else {
        vec!["b: Namespace portproof-r7k2m9x4".to_owned()]
    };
    kinds.push((clock, EventKind::CleanupStarted));
    kinds.push((
        clock + 2_300,
        EventKind::CleanupFinished {
            removed: 11,
            by_agent: 27,
            left,
            draining: Vec::new(),
            notes: Vec::new(),
            elapsed_ms: 2_300,
        },
    ));
    kinds.push((
        clock + 2_310,
        EventKind::RunFinished {
            exit_code,
            elapsed_ms: (clock + 2_310).unsigned_abs(),
        },
    ));
    (1..)
        .zip(kinds)
        .map(|(seq, (milliseconds, kind))| at(seq, milliseconds, kind))
        .collect()
}

fn started(faults: &[&str]) -> EventKind {
    EventKind::RunStarted {
        format: FORMAT,
        run_id: "r7k2m9x4".into(),
        version: "0.1.0".into(),
        scenario: "level2-rehearsal".into(),
        description:
            "The stack moves from A to B unchanged, and routing, sandbox and traces hold on both."
                .into(),
        scenario_digest: "sha256:24b15f3d2103524c781b78ad6baafe54ca2d8ec5c066e9dd57ec0305eccdb6f2"
            .into(),
        faults: faults.iter().map(ToString::to_string).collect(),
    }
}

fn resolved(name: &str, gateway: &str) -> EventKind {
    EventKind::ClusterResolved {
        role: role(name),
        uid: format!("5f0e3c1a-91d2-4d1e-8a37-0c2b8d5e4f1{name}"),
        kubernetes: "v1.36.2".into(),
        provider: "lab".into(),
        gateway_class: gateway.into(),
    }
}
