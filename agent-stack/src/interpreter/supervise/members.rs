//! The processes of a run: everything below the supervisor, which adopts what loses its parent.

use procfs_core::process::{SmapsRollup, Stat};
use procfs_core::{FromBufRead as _, FromRead as _};
use rustix::param::page_size;
use rustix::process::Pid;
use std::collections::BTreeMap;

/// One process, as `/proc/<pid>/stat` shows it (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::interpreter) struct Member {
    pub(in crate::interpreter) pid: Pid,
    pub(in crate::interpreter) parent: i32,
    /// Whether it has ended and only waits to be reaped.
    pub(in crate::interpreter) ended: bool,
    /// Processor time of it and of the children it has waited for, in clock ticks.
    pub(in crate::interpreter) ticks: u64,
    /// Its threads.
    pub(in crate::interpreter) threads: u64,
    /// Resident memory, in bytes.
    pub(in crate::interpreter) resident: u64,
}

/// Everything below the process `root`.
pub(in crate::interpreter) fn below(root: Pid) -> Vec<Member> {
    let mut families: BTreeMap<i32, Vec<Member>> = BTreeMap::new();
    for member in every_process() {
        families.entry(member.parent).or_default().push(member);
    }
    let mut found = families
        .remove(&root.as_raw_nonzero().get())
        .unwrap_or_default();
    let mut seen = 0;
    while let Some(parent) = found.get(seen).map(|member| member.pid) {
        let children = families.remove(&parent.as_raw_nonzero().get());
        found.extend(children.into_iter().flatten());
        seen += 1;
    }
    found
}

/// All processes and threads that can be seen.
pub(in crate::interpreter) fn threads_there() -> u64 {
    every_process().map(|member| member.threads).sum()
}

fn every_process() -> impl Iterator<Item = Member> {
    let entries = fs_err::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        // A process that is gone by now is no member.
        Member::of(&stat(&pid.to_string())?)
    })
}

impl Member {
    /// `None` for the kernel's own process 0.
    fn of(stat: &Stat) -> Option<Self> {
        let waited_for = (stat.cutime + stat.cstime).cast_unsigned();
        Some(Self {
            pid: Pid::from_raw(stat.pid)?,
            parent: stat.ppid,
            ended: matches!(stat.state, 'Z' | 'X'),
            ticks: stat.utime + stat.stime + waited_for,
            threads: stat.num_threads.cast_unsigned(),
            resident: stat.rss.saturating_mul(page_size() as u64),
        })
    }
}

fn stat(process: &str) -> Option<Stat> {
    parse(&fs_err::read(format!("/proc/{process}/stat")).ok()?)
}

/// Reads the line about a process. Its name in there is of its own choice and need not be UTF-8.
fn parse(line: &[u8]) -> Option<Stat> {
    Stat::from_read(line).ok()
}

/// Memory of the process without what it shares, in bytes; `None` where the kernel does not tell.
pub(super) fn proportional(pid: Pid) -> Option<u64> {
    let path = format!("/proc/{}/smaps_rollup", pid.as_raw_nonzero());
    let text = fs_err::read(path).ok()?;
    let rollup = SmapsRollup::from_buf_read(text.as_slice()).ok()?;
    let map = rollup.memory_map_rollup.0.into_iter().next()?;
    map.extension.map.get("Pss").copied()
}

/// Processor time in user mode and in the kernel that this process has collected from the children it reaped, in clock
/// ticks.
pub(super) fn collected_ticks() -> Option<(u64, u64)> {
    let own = stat("self")?;
    Some((own.cutime.cast_unsigned(), own.cstime.cast_unsigned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A line as Linux and gVisor write it.
    fn line(name: &[u8]) -> Vec<u8> {
        let fields = ") S 7 42 42 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 5 0 99 10000000 300 18446744073709551615 \
            0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n";
        [b"42 (", name, fields.as_bytes()].concat()
    }

    #[test]
    fn a_process_is_read_from_the_kernels_line_about_it() {
        let member = Member::of(&parse(&line(b"a) b")).unwrap()).unwrap();
        assert_eq!(
            (
                member.pid.as_raw_nonzero().get(),
                member.parent,
                member.ended
            ),
            (42, 7, false)
        );
        assert_eq!((member.ticks, member.threads), (127, 5));
        assert_eq!(member.resident, 300 * page_size() as u64);
    }

    #[test]
    fn a_child_is_below_its_parent() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let id = child.id().cast_signed();
        let found = below(rustix::process::getpid());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(
            found
                .iter()
                .any(|member| member.pid.as_raw_nonzero().get() == id)
        );
    }

    proptest! {
        #[test]
        fn no_name_hides_a_process(name in prop::collection::vec(any::<u8>(), 0..16)) {
            let read = |name: &[u8]| parse(&line(name)).and_then(|stat| Member::of(&stat));
            prop_assert!(read(&name).is_some());
            prop_assert_eq!(read(&name), read(b"a"));
        }
    }
}
