//! The rehearsal must pass, every broken stack must fail exactly where it says, and a killed run leaves what `cleanup`
//! can remove.

use portproof::run::event::EventKind;
use portproof::run::log;
use portproof::scenario::{self, Scenario};
use portproof::verify::Verdict;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) fn program() -> PathBuf {
    std::env::var_os("PORTPROOF_BIN").map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_portproof")),
        PathBuf::from,
    )
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn load(file: &Path) -> Scenario {
    scenario::load(file, &std::fs::read_to_string(file).unwrap()).unwrap()
}

/// What one run of the binary came to.
pub(crate) struct Ran {
    code: Option<i32>,
    verdicts: Vec<(String, Verdict)>,
    left: Vec<String>,
}

impl Ran {
    fn of(file: &Path) -> Self {
        let runs = tempfile::tempdir().unwrap();
        Self::in_directory(file, runs.path(), &[])
    }

    /// Runs the scenario with `runs` as the directory that keeps runs, and with more options.
    pub(crate) fn in_directory(file: &Path, runs: &Path, more: &[&str]) -> Self {
        let status = Command::new(program())
            .arg("run")
            .arg(file)
            .arg("--runs")
            .arg(runs)
            .args(more)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        let run = only_entry(runs);
        let mut ran = Self {
            code: status.code(),
            verdicts: Vec::new(),
            left: Vec::new(),
        };
        for event in log::read(&run.join("events.jsonl")).unwrap() {
            match event.kind {
                EventKind::CheckFinished { check, .. } => {
                    ran.verdicts.push((check.id, check.verdict));
                }
                EventKind::CleanupFinished { left, .. } => ran.left = left,
                _ => {}
            }
        }
        for report in ["report.html", "report.json", "junit.xml"] {
            assert!(run.join(report).is_file(), "{report} is missing");
        }
        ran
    }

    /// There are so many verdicts, all of them passed, and nothing is left.
    pub(crate) fn passed(&self, verdicts: usize) {
        assert!(
            self.failed().is_empty() && self.undecided().is_empty(),
            "{:?}",
            self.verdicts
        );
        assert_eq!(self.verdicts.len(), verdicts);
        assert_eq!(self.code, Some(0));
        assert!(self.left.is_empty(), "{:?}", self.left);
    }

    fn failed(&self) -> BTreeSet<&str> {
        let failed = self
            .verdicts
            .iter()
            .filter(|(_, verdict)| matches!(verdict, Verdict::Failed { .. }));
        failed.map(|(id, _)| id.as_str()).collect()
    }

    fn undecided(&self) -> Vec<&(String, Verdict)> {
        let decided =
            |verdict: &Verdict| matches!(verdict, Verdict::Passed | Verdict::Failed { .. });
        self.verdicts
            .iter()
            .filter(|(_, verdict)| !decided(verdict))
            .collect()
    }
}

pub(crate) fn only_entry(directory: &Path) -> PathBuf {
    let entries: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries[0].clone()
}

fn must_fail_as_it_says(file: &str) {
    let file = repository().join("scenarios/broken").join(file);
    let expected = load(&file).expect_failed;
    let ran = Ran::of(&file);
    assert_eq!(
        ran.failed(),
        expected.iter().map(String::as_str).collect(),
        "{:?}",
        ran.verdicts
    );
    assert!(ran.undecided().is_empty(), "{:?}", ran.undecided());
    assert_eq!(ran.code, Some(8));
    assert!(ran.left.is_empty(), "{:?}", ran.left);
}

#[test]
#[ignore = "needs the lab"]
fn the_rehearsal_passes_every_check_on_both_clusters() {
    Ran::of(&repository().join("scenarios/level2/rehearsal.yaml")).passed(14);
}

macro_rules! broken {
    ($($name:ident: $file:literal),* $(,)?) => {$(
        #[test]
        #[ignore = "needs the lab"]
        fn $name() {
            must_fail_as_it_says($file);
        }
    )*

        #[test]
        fn every_broken_stack_has_its_test() {
            let tested: BTreeSet<_> = [$($file),*].into_iter().map(PathBuf::from).collect();
            let root = repository().join("scenarios/broken");
            let mut shipped = BTreeSet::new();
            for family in std::fs::read_dir(&root).unwrap() {
                for file in std::fs::read_dir(family.unwrap().path()).unwrap() {
                    shipped.insert(file.unwrap().path().strip_prefix(&root).unwrap().to_owned());
                }
            }
            assert_eq!(tested, shipped);
        }
    };
}

broken! {
    wrong_weights_are_noticed: "gateway/weights-wrong.yaml",
    a_canary_that_is_not_served_is_noticed: "gateway/canary-not-served.yaml",
    an_incomplete_rollback_is_noticed: "gateway/rollback-incomplete.yaml",
    a_runtime_that_is_only_a_name_is_noticed: "sandbox/runtime-runc.yaml",
    a_missing_egress_policy_is_noticed: "sandbox/policy-missing.yaml",
    a_dropped_trace_context_is_noticed: "traces/context-dropped.yaml",
    a_tool_changed_on_the_way_is_noticed: "portability/tool-changed.yaml",
    a_tool_that_is_not_served_is_noticed: "portability/tool-hidden.yaml",
    a_service_with_other_data_is_noticed: "portability/output-differs.yaml",
}
