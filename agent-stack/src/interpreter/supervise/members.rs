//! The processes of a run: everything below the supervisor, which adopts what loses its parent.

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
        parse(&fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    })
}

/// Reads one line of `/proc/<pid>/stat`.
pub(super) fn parse(stat: &str) -> Option<Member> {
    let (pid, rest) = stat.split_once(' ')?;
    // The name in parentheses may hold anything, also parentheses.
    let (_, fields) = rest.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Member {
        pid: Pid::from_raw(pid.parse().ok()?)?,
        parent: fields.get(1)?.parse().ok()?,
        ended: matches!(*fields.first()?, "Z" | "X"),
        ticks: (11..=14).map_while(number).sum(),
        threads: number(17)?,
        resident: number(21)?.saturating_mul(page_size() as u64),
    })
}

/// Memory of the process without what it shares, in bytes; `None` where the kernel does not tell.
pub(super) fn proportional(pid: Pid) -> Option<u64> {
    let path = format!("/proc/{}/smaps_rollup", pid.as_raw_nonzero());
    let rollup = fs_err::read_to_string(path).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes << 10)
}

/// Processor time in user mode and in the kernel that this process has collected from the children it reaped, in clock
/// ticks.
pub(super) fn collected_ticks() -> Option<(u64, u64)> {
    let stat = fs_err::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(13);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STAT: &str = "42 (a) b) S 7 42 42 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 5 0 99 10000000 300 18446744073709551615";

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        let member = parse(STAT).unwrap();
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
        fn whatever_the_kernel_writes_is_read_or_refused(text in "\\PC{0,80}") {
            let _ = parse(&text);
            let renamed = STAT.replace("a) b", &text);
            prop_assert_eq!(parse(&renamed), parse(STAT));
        }
    }
}
