//! Commands about runs that are over: reports and clean-up from what is on disk.

use crate::program::{Ran, portproof, repository};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Event logs of runs on the lab, written by the first version of the format; only the kernels' names were made neutral.
fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/recorded")
}

/// A directory with one recorded run in `runs/`; the id of the run.
fn with_run(name: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let events = recorded().join(name);
    let text = std::fs::read_to_string(&events).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let run = first["run_id"].as_str().unwrap().to_owned();
    let target = directory.path().join("runs").join(&run);
    std::fs::create_dir_all(&target).unwrap();
    std::fs::copy(events, target.join("events.jsonl")).unwrap();
    (directory, run)
}

fn report(name: &str) -> (tempfile::TempDir, PathBuf, Ran) {
    let (directory, run) = with_run(name);
    let ran = portproof(directory.path(), ["report", "latest"]);
    let run = directory.path().join("runs").join(run);
    (directory, run, ran)
}

/// A report as text that a change of the page's looks does not change: style, drawings and raw evidence are left out.
fn words_of(html: &str) -> String {
    let mut html = html.to_owned();
    for tag in ["style", "script", "svg", "pre"] {
        html = without(&html, tag);
    }
    let lines = html.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

fn without(html: &str, tag: &str) -> String {
    let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
    let mut kept = String::new();
    let mut rest = html;
    while let Some(begin) = rest.find(&open) {
        let end = rest[begin..].find(&close).unwrap();
        kept.push_str(&rest[..begin]);
        write!(kept, "[{tag}]").unwrap();
        rest = &rest[begin + end + close.len()..];
    }
    kept + rest
}

/// The JSON report with the raw evidence left out, which is long and has tests of its own.
fn without_evidence(json: &str) -> String {
    let mut report: serde_json::Value = serde_json::from_str(json).unwrap();
    for check in report["checks"].as_array_mut().unwrap() {
        let evidence = &mut check["result"]["evidence"];
        assert!(!evidence.is_null());
        *evidence = "[evidence]".into();
    }
    serde_json::to_string_pretty(&report).unwrap()
}

macro_rules! reported {
    ($($name:ident: $file:literal),* $(,)?) => {$(
        #[test]
        fn $name() {
            let (_directory, run, ran) = report($file);
            assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
            assert!(!ran.out.contains('\u{1b}'), "a pipe gets no colour");
            let stem = $file.trim_end_matches(".jsonl");
            insta::assert_snapshot!(format!("{stem}-terminal"), ran.out);
            let read = |name| std::fs::read_to_string(run.join(name)).unwrap();
            insta::assert_snapshot!(format!("{stem}-json"), without_evidence(&read("report.json")));
            insta::assert_snapshot!(format!("{stem}-junit"), read("junit.xml"));
            insta::assert_snapshot!(format!("{stem}-html"), words_of(&read("report.html")));
        }
    )*};
}

reported! {
    a_run_that_passed_is_reported_again: "passed.jsonl",
    a_run_that_failed_is_reported_again: "failed.jsonl",
    a_run_that_was_interrupted_is_reported_again: "interrupted.jsonl",
}

#[test]
fn a_run_is_found_by_the_beginning_of_its_id() {
    let (directory, run) = with_run("passed.jsonl");
    let ran = portproof(directory.path(), ["report", &run[..6]]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains(&format!("runs/{run}/report.html")));
}

#[test]
fn what_is_said_of_runs_that_are_not_there() {
    let (directory, _) = with_run("passed.jsonl");
    std::fs::create_dir(directory.path().join("runs/r1ng2vp0000")).unwrap();
    std::fs::create_dir(directory.path().join("runs/r1ng2vp0001")).unwrap();
    let mut said = String::new();
    for words in [
        ["report", "r0"],
        ["cleanup", "r0"],
        ["report", "r1ng2vp000"],
        ["report", "--runs=elsewhere"],
        ["cleanup", "--runs=elsewhere latest"],
    ] {
        let words = words.join(" ");
        let ran = portproof(directory.path(), words.split(' '));
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        writeln!(said, "$ portproof {words}\n{}", ran.all()).unwrap();
    }
    insta::with_settings!({filters => vec![(r"latest run there is r\w{10}", "latest run there is [run]")]}, {
        insta::assert_snapshot!(said);
    });
}

#[test]
fn a_broken_event_log_is_shown_with_its_line() {
    let (directory, run) = with_run("passed.jsonl");
    let events = directory
        .path()
        .join("runs")
        .join(&run)
        .join("events.jsonl");
    let whole = std::fs::read_to_string(&events).unwrap();
    let (first, rest) = whole.split_once('\n').unwrap();
    std::fs::write(&events, format!("{first}\n{{\"seq\": 2,\n{rest}")).unwrap();
    let broken = portproof(directory.path(), ["report"]);
    std::fs::write(&events, "").unwrap();
    let empty = portproof(directory.path(), ["report"]);
    std::fs::remove_file(&events).unwrap();
    let absent = portproof(directory.path(), ["report"]);
    let said = [broken, empty, absent].map(|ran| ran.all()).concat();
    insta::with_settings!({filters => vec![(run.as_str(), "[run]")]}, {
        insta::assert_snapshot!(said);
    });
}

#[test]
fn a_log_that_a_crash_tore_is_reported_as_far_as_it_goes() {
    let (directory, run) = with_run("passed.jsonl");
    let run = directory.path().join("runs").join(run);
    let events = run.join("events.jsonl");
    let whole = std::fs::read_to_string(&events).unwrap();
    let half: String = whole.chars().take(whole.len() / 2).collect();
    std::fs::write(&events, half).unwrap();
    let ran = portproof(directory.path(), ["report"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(
        ran.out.contains("No verdict: the run did not end."),
        "{}",
        ran.out
    );
    let junit = std::fs::read_to_string(run.join("junit.xml")).unwrap();
    assert!(junit.contains("its log breaks off"), "{junit}");
}

#[test]
fn a_report_that_cannot_be_written_is_no_fault_of_who_asked_for_it() {
    let (directory, run) = with_run("passed.jsonl");
    let run = directory.path().join("runs").join(run);
    std::fs::create_dir(run.join("report.html")).unwrap();
    let ran = portproof(directory.path(), ["report"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert!(ran.err.contains("report.html"), "{}", ran.err);
    assert!(ran.err.contains("is the disk full"), "{}", ran.err);
}

#[test]
fn a_run_that_created_nothing_needs_no_clean_up() {
    let (directory, run) = with_run("interrupted.jsonl");
    let ran = portproof(directory.path(), ["cleanup", "latest"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(ran.out, format!("run {run} created nothing\n"));
}

#[test]
fn what_is_said_of_clusters_that_cannot_be_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let unreachable = serde_json::json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u"}},
            {"name": "two", "context": {"cluster": "c", "user": "u"}},
        ],
    });
    let kubeconfig = directory.path().join("config");
    std::fs::write(&kubeconfig, unreachable.to_string()).unwrap();
    let mut said = String::new();
    for words in [
        "cleanup r1 --lab",
        "cleanup --list --scenario absent.yaml",
        "cleanup r1 --kubeconfig absent",
        "cleanup r1 --kubeconfig config",
        "cleanup r1 --kubeconfig config --context three",
        "cleanup r1 --kubeconfig config --context one",
    ] {
        let ran = portproof(directory.path(), words.split(' '));
        writeln!(said, "$ portproof {words}\n{}", ran.all()).unwrap();
    }
    insta::assert_snapshot!(said);
}

/// The rehearsal on two clusters of a kubeconfig, as `x.yaml` in `directory`.
fn write_existing(directory: &Path, kubeconfig: &str) {
    let scenarios = repository().join("scenarios");
    let rehearsal = std::fs::read_to_string(scenarios.join("level2/rehearsal.yaml")).unwrap();
    let on = |context: &str| {
        format!("{{existing: {{kubeconfig: {kubeconfig}, context: {context}, gatewayClass: x}}}}")
    };
    let rehearsal = rehearsal
        .replace("{lab: {gateway: traefik}}", &on("one"))
        .replace("{lab: {gateway: envoy}}", &on("two"))
        .replace(
            "../fixtures",
            &scenarios.join("fixtures").display().to_string(),
        );
    std::fs::write(directory.join("x.yaml"), rehearsal).unwrap();
}

#[test]
fn what_is_said_of_runs_that_cannot_begin() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    write_existing(directory.path(), "absent");
    let allowed = "run x.yaml --image x:1 --allow-context one --allow-context two";
    let mut said = String::new();
    for words in [
        "run x.yaml --image x:1".to_owned(),
        format!("{allowed} --runs file"),
        format!("{allowed} --runs /proc/absent"),
        "report --runs file".to_owned(),
    ] {
        let ran = portproof(directory.path(), words.split(' '));
        writeln!(said, "$ portproof {words}\n{}", ran.all()).unwrap();
    }
    assert!(!directory.path().join("runs").exists());
    insta::assert_snapshot!(said);
}

#[test]
fn a_run_whose_model_could_not_be_asked_does_not_begin() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("two-words"), "sk secret").unwrap();
    let mut said = String::new();
    for access in [
        "key: {env: PORTPROOF_TEST_ABSENT}",
        "key: {file: absent}",
        "key: {file: two-words}",
        "authorities: two-words",
    ] {
        write_existing(directory.path(), "absent");
        let file = directory.path().join("x.yaml");
        let model =
            format!("  stack:\n    model: {{upstream: 'https://models.example', {access}}}\n");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("  stack:\n", &model)).unwrap();
        let ran = portproof(directory.path(), ["run", "x.yaml", "--image", "x:1"]);
        writeln!(said, "--- {access}\n{}", ran.all()).unwrap();
    }
    assert!(!directory.path().join("runs").exists());
    insta::assert_snapshot!(said);
}

#[test]
fn what_is_said_of_kubeconfigs_that_cannot_be_used() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("folder")).unwrap();
    std::fs::write(directory.path().join("broken"), "clusters: [").unwrap();
    std::fs::write(directory.path().join("binary"), b"\xff\xfe\0").unwrap();
    let mut said = String::new();
    for kubeconfig in ["absent", "folder", "broken", "binary"] {
        write_existing(directory.path(), kubeconfig);
        let words = "run x.yaml --image x:1 --allow-context one --allow-context two";
        let ran = portproof(directory.path(), words.split(' '));
        assert_eq!(ran.code, Some(10), "{}", ran.err);
        let told = ran
            .out
            .lines()
            .skip_while(|line| !line.starts_with("ERROR"));
        let told: Vec<_> = told.take(2).collect();
        writeln!(said, "--- {kubeconfig}\n{}", told.join("\n")).unwrap();
    }
    let place = directory.path().display().to_string();
    insta::with_settings!({filters => vec![(place.as_str(), "[directory]")]}, {
        insta::assert_snapshot!(said);
    });
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (directory, _) = with_run("passed.jsonl");
    let mut command = crate::program::command(directory.path());
    let mut child = command
        .arg("report")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), &b""[..])
    );
}
