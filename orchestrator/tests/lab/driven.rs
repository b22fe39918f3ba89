//! A run as a real process that a test watches through its event log and sends signals to.

use crate::scenarios::{only_entry, program, repository};
use portproof::cluster::{Cluster, ClusterAccess, find_runs};
use portproof::lab::paths::LabPaths;
use portproof::run::event::{Event, EventKind};
use portproof::run::log;
use portproof::verify::Role;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Longest wait for something to happen; a bound for a broken machine, not a measurement.
const PATIENCE: Duration = Duration::from_mins(3);

/// A run under way, or over.
pub(crate) struct Driven {
    child: Child,
    runs: tempfile::TempDir,
    output: tempfile::TempDir,
}

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) left: Vec<String>,
}

impl Driven {
    /// Starts the rehearsal with a run directory of its own.
    pub(crate) fn start() -> Self {
        Self::start_with("level2/rehearsal.yaml")
    }

    /// Starts a scenario that comes to its traffic without a carry.
    pub(crate) fn start_with_traffic_only() -> Self {
        Self::start_with("broken/gateway/weights-wrong.yaml")
    }

    fn start_with(scenario: &str) -> Self {
        let (runs, output) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = |name: &str| File::create(output.path().join(name)).unwrap();
        let child = Command::new(program())
            .arg("run")
            .arg(repository().join("scenarios").join(scenario))
            .arg("--runs")
            .arg(runs.path())
            .stdout(file("out"))
            .stderr(file("err"))
            .spawn()
            .unwrap();
        Self {
            child,
            runs,
            output,
        }
    }

    pub(crate) fn runs(&self) -> &Path {
        self.runs.path()
    }

    pub(crate) fn directory(&self) -> PathBuf {
        only_entry(self.runs.path())
    }

    /// The id of the run.
    pub(crate) fn id(&self) -> String {
        let directory = self.directory();
        directory.file_name().unwrap().to_str().unwrap().to_owned()
    }

    fn events(&self) -> Vec<Event> {
        let Some(run) = std::fs::read_dir(self.runs.path()).unwrap().next() else {
            return Vec::new();
        };
        log::read(&run.unwrap().path().join("events.jsonl")).unwrap_or_default()
    }

    fn wait_until(&mut self, what: &str, happened: impl Fn(&EventKind) -> bool) {
        let began = Instant::now();
        while !self.events().iter().any(|event| happened(&event.kind)) {
            assert!(began.elapsed() < PATIENCE, "{what}: did not happen");
            assert!(
                self.child.try_wait().unwrap().is_none(),
                "{what}: the run ended before"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn wait_until_begun(&mut self, wanted: &str) {
        self.wait_until(
            wanted,
            |kind| matches!(kind, EventKind::StepStarted { step, .. } if step == wanted),
        );
    }

    /// Waits until the run cleans up.
    pub(crate) fn wait_until_cleaning(&mut self) {
        self.wait_until("clean-up", |kind| *kind == EventKind::CleanupStarted);
    }

    /// Waits until the run has taken a signal in.
    pub(crate) fn wait_until_interrupted(&mut self) {
        self.wait_until("the signal", |kind| {
            matches!(kind, EventKind::Interrupted { .. })
        });
    }

    /// Waits until the run has created something.
    pub(crate) fn wait_until_created(&mut self) {
        let began = Instant::now();
        let ledger = self.directory().join("ledger.jsonl");
        while !std::fs::read_to_string(&ledger).is_ok_and(|text| text.contains("\"created\"")) {
            assert!(began.elapsed() < PATIENCE, "nothing was created");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end of the process.
    pub(crate) fn end(&mut self) -> Ended {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "the run does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        let read = |name| std::fs::read_to_string(self.output.path().join(name)).unwrap();
        let mut left = Vec::new();
        for event in self.events() {
            if let EventKind::CleanupFinished { left: these, .. } = event.kind {
                left = these;
            }
        }
        Ended {
            code: status.code(),
            out: read("out"),
            err: read("err"),
            left,
        }
    }
}

/// Connects to a cluster of the lab.
pub(crate) async fn connect(role: &str) -> Cluster {
    let role = Role::new(role).unwrap();
    let access = ClusterAccess {
        kubeconfig: LabPaths::from_environment().kubeconfig(&role),
        context: None,
    };
    Cluster::connect(role, access).await.unwrap()
}

/// No object of the run is on any cluster of the lab.
pub(crate) async fn assert_nothing_is_left(run: &str) {
    for role in ["a", "b"] {
        let found = find_runs(&connect(role).await).await.unwrap();
        assert!(
            found.iter().all(|left| left.run != run),
            "{role}: {found:?}"
        );
    }
}
