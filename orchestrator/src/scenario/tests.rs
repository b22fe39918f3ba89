use super::*;
use std::path::PathBuf;
use std::time::Duration;

const GOOD: &str = include_str!("../../../scenarios/level2/rehearsal.yaml");

fn read(text: &str) -> Result<Scenario, ScenarioError> {
    load(Path::new("scenarios/x.yaml"), text)
}

/// What is said about the rehearsal after one change.
fn said(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "the rehearsal does not hold `{from}`");
    read(&GOOD.replacen(from, to, 1)).unwrap_err().render(false)
}

/// The problems of the rehearsal after one change, one line each.
fn lines(from: &str, to: &str) -> Vec<String> {
    assert!(GOOD.contains(from), "the rehearsal does not hold `{from}`");
    read(&GOOD.replacen(from, to, 1))
        .unwrap_err()
        .lines()
        .collect()
}

/// A scenario of one cluster with these steps.
fn with_steps(steps: &str) -> String {
    format!(
        "apiVersion: portproof.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: x, description: d}}\nspec:\n  \
         clusters: {{a: {{lab: {{}}}}}}\n  stack: {{tools: t}}\n  steps:\n{steps}"
    )
}

fn step_lines(steps: &str) -> Vec<String> {
    read(&with_steps(steps)).unwrap_err().lines().collect()
}

#[test]
fn the_rehearsal_is_read_as_it_is_meant() {
    let scenario = load(Path::new("scenarios/level2/rehearsal.yaml"), GOOD).unwrap();
    assert_eq!(scenario.name, "level2-rehearsal");
    let steps: Vec<_> = scenario
        .steps
        .iter()
        .map(|step| step.action.word())
        .collect();
    assert_eq!(
        steps,
        [
            "deploy", "seed", "carry", "tasks", "traces", "canary", "rollback", "sandbox", "egress"
        ]
    );
    assert_eq!(
        scenario.stack.fixtures[0],
        PathBuf::from("scenarios/level2/../fixtures/tools")
    );
    let Action::Canary(canary) = &scenario.step("canary").unwrap().action else {
        panic!("not a canary")
    };
    assert_eq!(
        (canary.goal().canary_share, canary.goal().tolerance),
        (0.1, 0.02)
    );
    let Action::Rollback(rollback) = &scenario.step("rollback").unwrap().action else {
        panic!("not a rollback")
    };
    assert_eq!(
        (rollback.budget, rollback.length()),
        (Duration::from_secs(3), Duration::from_secs(5))
    );
}

#[test]
fn every_shipped_scenario_is_valid() {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios"));
    let files = scenario_files(&root);
    assert!(
        files.len() >= 9,
        "only {} scenarios were found",
        files.len()
    );
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let scenario = load(&path, &text).unwrap_or_else(|error| panic!("{}", error.render(false)));
        let broken = path.components().any(|part| part.as_os_str() == "broken");
        assert_eq!(broken, !scenario.faults.is_empty(), "{}", path.display());
        assert_eq!(
            broken,
            !scenario.expect_failed.is_empty(),
            "{}",
            path.display()
        );
        let family = path
            .parent()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str())
            .unwrap();
        for id in &scenario.expect_failed {
            assert_eq!(id.split('/').next(), Some(family), "{}", path.display());
        }
    }
}

#[test]
fn each_check_has_a_broken_stack_that_must_fail_it() {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/broken"));
    let expected: Vec<_> = scenario_files(&root)
        .iter()
        .flat_map(|path| {
            load(path, &std::fs::read_to_string(path).unwrap())
                .unwrap()
                .expect_failed
        })
        .collect();
    for check in crate::verify::catalogue::ALL {
        assert!(
            expected.iter().any(|id| id == check.id),
            "nothing under scenarios/broken fails {}",
            check.id
        );
    }
}

/// Every YAML file that is a scenario and not a fixture.
fn scenario_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("fixtures") {
            files.extend(scenario_files(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn an_unknown_field_is_shown_where_it_stands() {
    insta::assert_snapshot!(said("runtimeClass:", "runtime:"));
}

#[test]
fn a_wrong_type_is_shown_where_it_stands() {
    insta::assert_snapshot!(said("requests: 4000", "requests: many"));
}

#[test]
fn every_problem_is_shown_at_once() {
    let text = GOOD
        .replacen("on: [a, b]", "on: [a, c]", 1)
        .replacen("canary: 10}", "canary: 0}", 1)
        .replacen("stable: 90", "stable: 0", 1)
        .replacen("tolerance: 2", "tolerance: 80", 1)
        .replacen("deadline: 30s", "deadline: soon", 1);
    insta::assert_snapshot!(read(&text).unwrap_err().render(false));
}

#[test]
fn each_problem_of_a_step_is_said_in_one_line() {
    let problems: Vec<_> = [
        "  - {id: s, on: [a], deploy: {}, seed: {}}",
        "  - {id: s, on: [a]}",
        "  - {id: s, deploy: {}}",
        "  - {id: s, on: [], deploy: {}}",
        "  - {id: s, on: [a, a], deploy: {}}",
        "  - {id: s, on: [z], deploy: {}}",
        "  - {id: s, on: [a], from: a, deploy: {}}",
        "  - {id: S!, on: [a], deploy: {}}",
        "  - {id: s, on: [a], deploy: {}}\n  - {id: s, on: [a], sandbox: {}}",
        "  - {id: s, on: [a], deploy: {}}\n  - {id: c, on: [a], carry: {}}",
        "  - {id: s, on: [a], deploy: {}}\n  - {id: c, from: a, to: a, carry: {}}",
        "  - {id: s, on: [a], deploy: {deadline: 0s}}",
        "    []",
    ]
    .iter()
    .flat_map(|steps| step_lines(steps))
    .collect();
    insta::assert_snapshot!(problems.join("\n"));
}

#[test]
fn each_problem_of_an_action_is_said_in_one_line() {
    let problems: Vec<_> = [
        "tasks: {items: []}",
        "tasks: {items: [{id: t, prompt: ' '}]}",
        "tasks: {items: [{id: t, prompt: p}, {id: t, prompt: q}]}",
        "canary: {weights: {stable: 0, canary: 0}}",
        "canary: {weights: {stable: 90, canary: 10}, tolerance: 0}",
        "canary: {weights: {stable: 90, canary: 10}, tolerance: .nan}",
        "canary: {weights: {stable: 90, canary: 10}, requests: 800}",
        "canary: {weights: {stable: 50, canary: 50}, requests: 200000, tolerance: 0.1}",
        "canary: {weights: {stable: 90, canary: 2000000}, rate: 0}",
        "canary: {weights: {stable: 90}}",
        "rollback: {requests: 2000}",
        "rollback: {deadMan: 2s}",
        "rollback: {budget: -1s}",
        "sandbox: {x: 1}",
    ]
    .iter()
    .flat_map(|action| step_lines(&format!("  - {{id: s, on: [a], {action}}}")))
    .collect();
    insta::assert_snapshot!(problems.join("\n"));
}

#[test]
fn each_problem_of_clusters_stack_and_faults_is_said_in_one_line() {
    let clusters = "a: {lab: {gateway: traefik}}";
    let faults = |text: &str| lines("  steps:\n", &format!("  {text}\n  steps:\n"));
    let sandbox = "sandbox: {runtimeClass: gvisor}";
    let model = |members: &str| lines(sandbox, &format!("model: {{{members}}}"));
    let problems: Vec<_> = [
        lines("apiVersion: portproof.dev/v1alpha1", "apiVersion: v2"),
        lines("kind: Scenario", "kind: Test"),
        lines("name: level2-rehearsal", "name: -x"),
        lines(clusters, "Alpha: {lab: {}}\n    a: {lab: {}}"),
        lines(clusters, "a: {lab: {}}\n    a: {lab: {}}"),
        lines(clusters, "a: {}"),
        lines(
            clusters,
            "a: {lab: {}, existing: {context: c, gatewayClass: g}}",
        ),
        lines(clusters, "a: {lab: {gateway: nginx}}"),
        lines(clusters, "a: {existing: {context: '', gatewayClass: g}}"),
        model("upstream: 'models.example'"),
        model("name: qwen3-8b, key: {env: KEY}, authorities: ca.pem"),
        model("upstream: 'https://user:secret@models.example'"),
        model("upstream: 'https://models.example/v1?key=secret'"),
        model("upstream: 'http://models.example', authorities: ca.pem"),
        model("upstream: 'https://models.example', key: {}"),
        model("upstream: 'https://models.example', key: {env: KEY, file: key}"),
        model("upstream: 'https://models.example', key: {env: ''}, authorities: ''"),
        faults("faults: [{fault: cosmic-ray, on: [a]}]"),
        faults("faults: [{fault: tool-hidden, on: [c]}]"),
        faults("faults: [{fault: tool-hidden, on: [a]}, {fault: tool-hidden, on: [b]}]"),
        faults("faults: [{fault: tool-changed-in-transit, on: [a]}]"),
        faults("expect: {failed: [gateway/canary-weight]}"),
        faults("faults: [{fault: tool-hidden, on: [a]}]\n  expect: {failed: [gateway/nothing]}"),
    ]
    .concat();
    insta::assert_snapshot!(problems.join("\n"));
}

#[test]
fn each_step_that_needs_what_is_not_there_yet_is_named() {
    let problems: Vec<_> = [
        "  - {id: s, on: [a], seed: {}}",
        "  - {id: s, on: [a], deploy: {}}\n  - {id: t, on: [a], tasks: {items: [{id: t, prompt: p}]}}",
        "  - {id: s, on: [a], deploy: {}}\n  - {id: t, on: [a], seed: {}}\n  - {id: u, on: [a], traces: {}}",
        "  - {id: s, on: [a], deploy: {}}\n  - {id: t, on: [a], rollback: {}}",
    ]
    .iter()
    .flat_map(|steps| step_lines(steps))
    .collect();
    insta::assert_snapshot!(problems.join("\n"));
}

#[test]
fn a_carry_to_where_the_tools_are_already_is_refused() {
    let carry = "    - id: carry\n      from: a\n      to: b\n      carry: {}\n";
    let twice = format!("{carry}\n{}", carry.replace("id: carry", "id: again"));
    let (seed, both) = ("on: [a]\n      seed", "on: [a, b]\n      seed");
    for (problems, step) in [
        (lines(seed, both), "carry"),
        (lines(carry, &twice), "again"),
    ] {
        let [problem] = problems.as_slice() else {
            panic!("{problems:?}");
        };
        let what = format!("step `{step}` carries to cluster `b`, which has the tools already");
        assert!(problem.ends_with(&what), "{problem}");
    }
}

#[test]
fn text_that_is_no_yaml_and_no_scenario_is_refused_with_its_place() {
    for text in [
        "",
        "{",
        "- 1",
        "a: 1",
        "kind: Scenario\nkind: Scenario",
        "--- {}\n--- {}",
        "&a [*a]",
    ] {
        let error = read(text).unwrap_err();
        assert_eq!(error.problems.len(), 1, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        let _ = read(&text).map_err(|error| error.render(false));
    }

    #[test]
    fn no_cut_or_changed_scenario_makes_the_reader_panic(at in 0..GOOD.len(), letter in "[ -~\n]") {
        proptest::prop_assume!(GOOD.is_char_boundary(at) && GOOD.is_char_boundary(at + 1));
        let changed = format!("{}{letter}{}", &GOOD[..at], &GOOD[at + 1..]);
        let _ = read(&changed).map_err(|error| error.render(false));
        let _ = read(&GOOD[..at]).map_err(|error| error.render(false));
    }
}
