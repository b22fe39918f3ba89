//! Keeps a node's components running: starts each when what it needs answers, starts it again when it ends, reaps
//! whatever ends on the node, and ends everything in order on SIGTERM.

use super::config::{Component, NodeConfig};
use super::gate;
use super::status::{ComponentState, ComponentStatus, NodeStatus};
use crate::lab::error::LabError;
use crate::lab::files;
use crate::lab::paths::NodePaths;
use jiff::Timestamp;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal as Incoming, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The pause before the first restart; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause before a restart.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A component that ran this long is taken to be sound again.
const SOUND: Duration = Duration::from_secs(30);
/// How long all components together may take to end in order.
const FAREWELL: Duration = Duration::from_millis(700);

/// Supervises until SIGTERM.
///
/// # Errors
/// The supervisor itself cannot run, or the status file cannot be written.
pub(super) fn run(config: &NodeConfig, paths: &NodePaths) -> Result<(), LabError> {
    let broken = || LabError::io("cannot supervise", paths.root());
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(broken())?
        .block_on(async {
            let children = signal(SignalKind::child()).map_err(broken())?;
            let terminate = signal(SignalKind::terminate()).map_err(broken())?;
            Supervisor::new(config, paths)
                .run(children, terminate)
                .await
        })
}

/// A component may be started now: the number of its place, or why it never will be.
type Start = Result<usize, LabError>;

struct Supervisor<'a> {
    config: &'a NodeConfig,
    paths: &'a NodePaths,
    status: NodeStatus,
    begun: Vec<Option<Instant>>,
    pauses: Vec<Duration>,
    starts: UnboundedSender<Start>,
    due: UnboundedReceiver<Start>,
}

impl<'a> Supervisor<'a> {
    fn new(config: &'a NodeConfig, paths: &'a NodePaths) -> Self {
        let (starts, due) = unbounded_channel();
        let count = config.components.len();
        Self {
            config,
            paths,
            status: NodeStatus {
                components: config.components.iter().map(waiting).collect(),
            },
            begun: vec![None; count],
            pauses: vec![FIRST_PAUSE; count],
            starts,
            due,
        }
    }

    async fn run(
        mut self,
        mut children: Incoming,
        mut terminate: Incoming,
    ) -> Result<(), LabError> {
        for place in 0..self.config.components.len() {
            self.schedule(place, Duration::ZERO);
        }
        self.save()?;
        loop {
            tokio::select! {
                _ = terminate.recv() => return self.end_all(children).await,
                _ = children.recv() => self.reap()?,
                Some(start) = self.due.recv() => self.start(start?)?,
            }
        }
    }

    fn schedule(&self, place: usize, pause: Duration) {
        let gates = self.config.components[place].after.clone();
        let starts = self.starts.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let open = gate::wait_all(&gates).await;
            // Nobody listens any more only when the node is ending.
            let _ = starts.send(open.map(|()| place));
        });
    }

    fn start(&mut self, place: usize) -> Result<(), LabError> {
        let component = &self.config.components[place];
        let spawned = spawn(component, &self.config.binaries, self.paths);
        match spawned {
            Ok(pid) => self.began(place, pid),
            Err(error) => self.ended(place, &format!("it cannot be started: {error}")),
        }
        self.save()
    }

    fn began(&mut self, place: usize, pid: i32) {
        tracing::info!(
            component = self.config.components[place].name,
            pid,
            "started"
        );
        self.begun[place] = Some(Instant::now());
        let status = &mut self.status.components[place];
        status.state = ComponentState::Running;
        status.pid = Some(pid);
        status.started = Some(Timestamp::now());
    }

    fn ended(&mut self, place: usize, exit: &str) {
        let ran = self.begun[place].take().map(|begun| begun.elapsed());
        if ran.is_some_and(|ran| ran > SOUND) {
            self.pauses[place] = FIRST_PAUSE;
        }
        let pause = self.pauses[place];
        self.pauses[place] = (pause * 2).min(LONGEST_PAUSE);
        let status = &mut self.status.components[place];
        status.state = ComponentState::Restarting;
        status.pid = None;
        status.restarts += 1;
        status.last_exit = Some(exit.to_owned());
        tracing::warn!(
            component = status.name,
            exit,
            ?pause,
            "ended, will be started again"
        );
        self.schedule(place, pause);
    }

    /// Takes the exit status of everything that has ended, orphans of components too.
    fn reap(&mut self) -> Result<(), LabError> {
        let mut changed = false;
        while let Some((pid, exit)) = next_exit() {
            if let Some(place) = self.place_of(pid) {
                self.ended(place, &describe(exit));
                changed = true;
            }
        }
        if changed { self.save() } else { Ok(()) }
    }

    fn place_of(&self, pid: Pid) -> Option<usize> {
        let pid = Some(pid.as_raw_nonzero().get());
        self.status
            .components
            .iter()
            .position(|component| component.pid == pid)
    }

    fn save(&self) -> Result<(), LabError> {
        files::replace_json(&self.paths.status(), &self.status)
    }

    /// Asks the components to end, the last started first. What is left after [`FAREWELL`] ends with this process.
    async fn end_all(mut self, mut children: Incoming) -> Result<(), LabError> {
        let pids = self
            .status
            .components
            .iter()
            .rev()
            .filter_map(|component| component.pid);
        for pid in pids.filter_map(Pid::from_raw) {
            // It may have ended a moment ago.
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
        let all_ended = async {
            while self
                .status
                .components
                .iter()
                .any(|component| component.pid.is_some())
            {
                children.recv().await;
                self.forget_ended();
            }
        };
        let in_order = tokio::time::timeout(FAREWELL, all_ended).await.is_ok();
        tracing::info!(in_order, "the node ends");
        Ok(())
    }

    fn forget_ended(&mut self) {
        while let Some((pid, _)) = next_exit() {
            if let Some(place) = self.place_of(pid) {
                self.status.components[place].pid = None;
            }
        }
    }
}

fn waiting(component: &Component) -> ComponentStatus {
    ComponentStatus {
        name: component.name.clone(),
        state: ComponentState::Waiting,
        pid: None,
        started: None,
        restarts: 0,
        last_exit: None,
    }
}

fn next_exit() -> Option<(Pid, WaitStatus)> {
    rustix::process::wait(WaitOptions::NOHANG).ok().flatten()
}

fn describe(exit: WaitStatus) -> String {
    match (exit.exit_status(), exit.terminating_signal()) {
        (Some(status), _) => format!("exit status {status}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// Starts a component with an environment of its own: nothing of the caller's shell, such as a proxy, reaches it. The
/// handle is dropped on purpose: [`Supervisor::reap`] takes the exit status of every child.
fn spawn(component: &Component, binaries: &Path, paths: &NodePaths) -> std::io::Result<i32> {
    let log = open_log(&paths.log(&component.name))?;
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", binaries.display());
    let child = Command::new(&component.program)
        .args(&component.args)
        .env_clear()
        .envs([
            ("PATH", path.as_str()),
            ("HOME", "/root"),
            ("TMPDIR", "/run/tmp"),
        ])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    Ok(child.id().cast_signed())
}

fn open_log(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}
