//! Looks at the processes of a run, again and again, and says when they use too much.

use super::disk;
use super::members::{self, Member, collected_ticks};
use crate::interpreter::report::{Confinement, EndedBy, Layer, Order, Usage};
use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, WaitOptions, getpid, waitpid};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Time between two looks, and between the first ones: most programs are quick.
const TICK: Duration = Duration::from_millis(25);
const FIRST_TICK: Duration = Duration::from_millis(5);
/// Looks between two measurements of the disk.
const DISK_EVERY: u32 = 4;

/// Watches one run.
pub(super) struct Watch<'a> {
    order: &'a Order,
    program: Pid,
    /// Directories beside the workspace that the program can fill.
    shared: &'a [PathBuf],
    started: Instant,
    looks: u32,
    most_memory: u64,
    most_processes: u64,
}

impl<'a> Watch<'a> {
    /// Starts the clock of the run of `program`, confined so.
    pub(super) fn start(order: &'a Order, program: Pid, confinement: Confinement) -> Self {
        let kept_in = confinement.landlock != Layer::Unsupported;
        Self {
            order,
            program,
            shared: if kept_in { &[] } else { &order.shared },
            started: Instant::now(),
            looks: 0,
            most_memory: 0,
            most_processes: 0,
        }
    }

    /// Time until the next look.
    pub(super) fn pause(&self) -> Duration {
        let left = self.wall().saturating_sub(self.started.elapsed());
        (FIRST_TICK * (self.looks + 1)).min(TICK).min(left)
    }

    fn wall(&self) -> Duration {
        Duration::from_secs(self.order.limits.wall_seconds)
    }

    /// Looks once: the limit that is exceeded, if any.
    pub(super) fn look(&mut self) -> Option<EndedBy> {
        if self.started.elapsed() >= self.wall() {
            return Some(EndedBy::WallClock);
        }
        self.looks += 1;
        let members = members::below(getpid());
        self.reap_adopted(&members);
        self.too_many(&members)
            .or_else(|| self.too_much_memory(&members))
            .or_else(|| self.too_much_time(&members))
            .or_else(|| self.too_much_disk(&members))
    }

    /// Processes that lost their parent and ended are this process's to reap; the program itself stays until its group
    /// is gone, so that its number names nobody else.
    fn reap_adopted(&self, members: &[Member]) {
        let own = getpid().as_raw_nonzero().get();
        let adopted = members
            .iter()
            .filter(|member| member.ended && member.parent == own && member.pid != self.program);
        for member in adopted {
            // The next look sees it again if this fails.
            let _ = waitpid(Some(member.pid), WaitOptions::NOHANG);
        }
    }

    /// What has been reaped just now does not count; what the program itself leaves unreaped does.
    fn too_many(&mut self, members: &[Member]) -> Option<EndedBy> {
        let own = getpid().as_raw_nonzero().get();
        let there = members
            .iter()
            .filter(|member| !(member.ended && member.parent == own));
        let count = there.map(|member| member.threads.max(1)).sum();
        self.most_processes = self.most_processes.max(count);
        (count > self.order.limits.processes).then_some(EndedBy::Processes)
    }

    /// What processes share counts once, but finding that out costs: only when it matters.
    fn too_much_memory(&mut self, members: &[Member]) -> Option<EndedBy> {
        let limit = self.order.limits.memory_bytes;
        let mut bytes: u64 = members.iter().map(|member| member.resident).sum();
        if bytes > limit {
            let shares = members
                .iter()
                .map(|member| members::proportional(member.pid).unwrap_or(member.resident));
            bytes = shares.sum();
        }
        self.most_memory = self.most_memory.max(bytes);
        (bytes > limit).then_some(EndedBy::Memory)
    }

    fn too_much_time(&self, members: &[Member]) -> Option<EndedBy> {
        let running: u64 = members.iter().map(|member| member.ticks).sum();
        let ended = collected_ticks().map_or(0, |(user, system)| user + system);
        let limit = self.order.limits.cpu_seconds * clock_ticks_per_second();
        (running + ended > limit).then_some(EndedBy::Cpu)
    }

    fn too_much_disk(&self, members: &[Member]) -> Option<EndedBy> {
        if !self.looks.is_multiple_of(DISK_EVERY) {
            return None;
        }
        let used = disk::used(&self.order.workspace, self.shared, members);
        let fits = used.is_some_and(|used| used <= self.order.limits.disk_bytes);
        (!fits).then_some(EndedBy::Disk)
    }

    /// What the run used, once everything of it has been reaped.
    pub(super) fn usage(&self, wall: Duration, left_over: u64) -> Usage {
        let (user, system) = collected_ticks().unwrap_or_default();
        let milliseconds = |ticks: u64| ticks * 1000 / clock_ticks_per_second().max(1);
        Usage {
            wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
            user_cpu_ms: milliseconds(user),
            system_cpu_ms: milliseconds(system),
            max_rss_bytes: (self.most_memory > 0).then_some(self.most_memory),
            max_processes: (self.most_processes > 0).then_some(self.most_processes),
            left_over,
        }
    }

    /// Time since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
