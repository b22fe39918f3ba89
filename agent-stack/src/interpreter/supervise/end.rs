//! Ends everything of a run.

use super::events::{Event, Events};
use super::members::{self, Member};
use rustix::process::{Pid, Signal, WaitStatus, getpid, kill_process, kill_process_group};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Time between two rounds.
const ROUND: Duration = Duration::from_millis(2);
/// Longest time to end a run; only what the kernel itself does not let go lasts longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Looks at the processes until no new one is among them.
const LOOKS: usize = 64;

/// What came of it.
pub(super) struct Remains {
    /// How the program ended.
    pub(super) status: Option<WaitStatus>,
    /// Processes beside the program that had to be ended.
    pub(super) left_over: u64,
    /// Whether some may still be there.
    pub(super) survivors: bool,
}

/// Ends the program, its group, and whatever left the group.
///
/// Killing a group is one step for the kernel: nobody in it can fork on meanwhile. The filter of system calls keeps
/// everybody in the group; without it the rest is found by its ancestry, stopped, and killed when no more come to light.
pub(super) fn everything(program: Pid, events: &Events) -> Remains {
    let left_over = members::below(getpid())
        .iter()
        .filter(|member| member.pid != program && !member.ended)
        .count();
    // The group, or the program, may be gone already.
    let _ = kill_process_group(program, Signal::KILL);
    let _ = kill_process(program, Signal::KILL);
    events.reap();
    let ended = rounds(events);
    Remains {
        survivors: ended.is_err(),
        status: ended.unwrap_or(None),
        left_over: left_over as u64,
    }
}

/// Some processes could not be ended.
struct Survivors;

/// Kills round by round until there is nothing left; returns how the program ended.
fn rounds(events: &Events) -> Result<Option<WaitStatus>, Survivors> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        match events.next(ROUND) {
            Some(Event::Childless(status)) => return Ok(status),
            Some(Event::Ended | Event::Told(_)) => {}
            None => kill(&frozen()),
        }
    }
    Err(Survivors)
}

fn kill(pids: &BTreeSet<i32>) {
    signal(pids.iter().copied(), Signal::KILL);
}

/// Stops everything, so that nothing new can come.
fn frozen() -> BTreeSet<i32> {
    let mut stopped = BTreeSet::new();
    for _ in 0..LOOKS {
        let fresh: Vec<i32> = running().filter(|pid| !stopped.contains(pid)).collect();
        if fresh.is_empty() {
            break;
        }
        signal(fresh.iter().copied(), Signal::STOP);
        stopped.extend(fresh);
    }
    stopped
}

fn running() -> impl Iterator<Item = i32> {
    let alive = |member: &Member| !member.ended;
    let members = members::below(getpid()).into_iter().filter(alive);
    members.map(|member| member.pid.as_raw_nonzero().get())
}

fn signal(pids: impl Iterator<Item = i32>, signal: Signal) {
    for pid in pids.filter_map(Pid::from_raw) {
        // Gone is as good as ended.
        let _ = kill_process(pid, signal);
    }
}
