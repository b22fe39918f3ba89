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

const TENTH: WeightGoal = WeightGoal {
    canary_share: 0.1,
    tolerance: 0.02,
    confidence: 0.95,
};

/// The canary's answers, scattered as a random balancer scatters them.
fn scattered(percent: u32) -> CheckResult {
    let record = gateway::fixture::record(4_000, |index| {
        index.wrapping_mul(2_654_435_761) >> 16 & 0x3ff < percent * 1_024 / 100
    });
    canary_weight(&record, &TENTH)
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
        node_kernel: Ok(sandbox::tests::NODE_KERNEL.to_owned()),
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
    canary_weight(&gateway::fixture::split(4_000, 10), &TENTH)
}

/// A run broken on purpose in which every kind of verdict occurs, with names and reasons that try to break out.
pub(super) fn failing_run() -> Vec<Event> {
    let done = || StepOutcome::Completed;
    let (both_roles, b): (&[&str], &[&str]) = (&["a", "b"], &["b"]);
    let not_set = ROLLBACK.skipped("the canary was not set");
    let gone = StepOutcome::Error {
        message: "the pod interpreter-7f9 is gone: not found".into(),
    };
    log(
        &["route-weights-skewed on a", "tool-changed-in-transit on b"],
        8,
        vec![
            ("stack", both_roles, 11_400, done(), vec![]),
            ("carry", both_roles, 1_300, done(), altered()),
            (
                "traces",
                both_roles,
                30_200,
                done(),
                both(untraced(), lost()),
            ),
            (
                "canary",
                both_roles,
                5_600,
                done(),
                both(scattered(16), saturated()),
            ),
            (
                "rollback",
                both_roles,
                5_900,
                done(),
                both(rolled_back(134, 5), not_set),
            ),
            ("egress", both_roles, 9_100, done(), leaked()),
            ("sandbox", b, 4_000, gone, vec![]),
        ],
    )
}

fn altered() -> Vec<CheckResult> {
    let mut carry = portability::fixture::carry();
    carry.target.objects[1]["spec"]["description"] = "<script>alert(1)</script>".into();
    vec![import_identical(&carry)]
}

fn leaked() -> Vec<CheckResult> {
    let mut leak = egress::tests::good();
    leak[6].received = Some(true);
    both(egress_basic(&egress::tests::good()), egress_basic(&leak))
}

fn saturated() -> CheckResult {
    let mut refused = gateway::fixture::split(4_000, 10);
    gateway::fixture::fail(&mut refused, 0..60, TrafficFailure::Dropped, None);
    canary_weight(&refused, &TENTH)
}

fn untraced() -> CheckResult {
    let (transcript, mut trace) = (traces::fixture::transcript(), traces::fixture::trace());
    trace.spans.retain(|span| span.span_id != "server-0");
    trace
        .spans
        .iter_mut()
        .filter(|span| span.span_id == "code")
        .for_each(|span| span.parent_span_id.clear());
    let task = TracedTask {
        transcript: &transcript,
        trace: &trace,
    };
    plan_to_tool(&[task], traces::fixture::CLUSTER)
}

fn lost() -> CheckResult {
    PLAN_TO_TOOL.error("the relay of cluster b broke off: \u{1b}[31mconnection reset\u{0}")
}

/// Events with the milliseconds at which they happened.
type Kinds = Vec<(i64, EventKind)>;

fn log(faults: &[&str], exit_code: u8, script: Script) -> Vec<Event> {
    let mut kinds = vec![
        (0, started(faults)),
        (120, resolved("a", "traefik")),
        (130, resolved("b", "envoy")),
    ];
    let mut clock = 200;
    for (id, roles, length, outcome, checks) in script {
        kinds.extend(begun(id, roles, clock));
        clock += length;
        kinds.extend(ended(id, clock, length, outcome, checks));
    }
    kinds.extend(closed(exit_code, clock));
    (1..)
        .zip(kinds)
        .map(|(seq, (milliseconds, kind))| at(seq, milliseconds, kind))
        .collect()
}

fn begun(id: &str, roles: &[&str], clock: i64) -> Kinds {
    let started = EventKind::StepStarted {
        step: id.to_owned(),
        roles: roles.iter().map(|name| role(name)).collect(),
    };
    let progress = EventKind::StepProgress {
        step: id.to_owned(),
        role: Some(role(roles[0])),
        message: format!("{id} is under way"),
    };
    vec![(clock, started), (clock + 50, progress)]
}

fn ended(
    id: &str,
    clock: i64,
    length: i64,
    outcome: StepOutcome,
    checks: Vec<CheckResult>,
) -> Kinds {
    let verdicts = checks.into_iter().map(|check| EventKind::CheckFinished {
        step: id.to_owned(),
        check: Box::new(check),
    });
    let finished = EventKind::StepFinished {
        step: id.to_owned(),
        elapsed_ms: length.unsigned_abs(),
        outcome,
    };
    verdicts
        .chain([finished])
        .map(|kind| (clock, kind))
        .collect()
}

/// Clean-up, which leaves something behind after a bad run, and the end.
fn closed(exit_code: u8, clock: i64) -> Kinds {
    let left = if exit_code == 0 {
        vec![]
    } else {
        vec!["b: Namespace portproof-r7k2m9x4".to_owned()]
    };
    let cleaned = EventKind::CleanupFinished {
        removed: 11,
        by_agent: 27,
        left,
        draining: Vec::new(),
        notes: Vec::new(),
        elapsed_ms: 2_300,
    };
    let finished = EventKind::RunFinished {
        exit_code,
        elapsed_ms: (clock + 2_310).unsigned_abs(),
    };
    vec![
        (clock, EventKind::CleanupStarted),
        (clock + 2_300, cleaned),
        (clock + 2_310, finished),
    ]
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
