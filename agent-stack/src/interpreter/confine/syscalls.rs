//! seccomp: system calls that no Python program needs are refused.
//!
//! A list of what is refused, not of what is allowed: whether the program can reach the network is for the network's
//! policy to say, and a probe that is stopped here would prove nothing about it. So sockets stay as they are.

use crate::interpreter::report::Layer;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::process::getppid;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter,
};
use std::collections::BTreeMap;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Marks system calls of the x32 ABI, which would otherwise pass a list of native numbers.
#[cfg(target_arch = "x86_64")]
const X32: i64 = 0x4000_0000;

/// Refused whatever their arguments.
const REFUSED: &[i64] = &[
    // Leaving the run's session and process group, by which the run is ended.
    libc::SYS_setsid,
    libc::SYS_setpgid,
    // Other processes: reading, changing, signalling them past the checks of `kill`.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_tkill,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    // Memory that outlives the run or that no limit counts.
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // Namespaces and mounts.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_fanotify_init,
    // Large and often broken parts of the kernel.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // The machine.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_personality,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// Calls about another process or thread unless the argument of this index is 0.
const OWN_ONLY: &[(i64, u8)] = &[
    (libc::SYS_prlimit64, 0),
    (libc::SYS_sched_setaffinity, 0),
    (libc::SYS_sched_setscheduler, 0),
    (libc::SYS_sched_setparam, 0),
    (libc::SYS_sched_setattr, 0),
    (libc::SYS_setpriority, 0),
    (libc::SYS_setpriority, 1),
    (libc::SYS_ioprio_set, 1),
];

/// `fcntl` and `ioctl` commands that make the kernel send signals to whom the caller names, and those that type into a
/// terminal (`TIOCSTI`, `TIOCLINUX`).
const OWNER_COMMANDS: &[(i64, u32)] = &[
    (libc::SYS_fcntl, 8),
    (libc::SYS_fcntl, 10),
    (libc::SYS_fcntl, 15),
    (libc::SYS_ioctl, 0x8901),
    (libc::SYS_ioctl, 0x8902),
    (libc::SYS_ioctl, 0x5412),
    (libc::SYS_ioctl, 0x541c),
];

/// Commands of `prctl` that are refused: what `PR_SET_DUMPABLE` hides from others are also the open files of a process,
/// whose sizes the supervisor counts.
const PROCESS_COMMANDS: &[libc::c_int] = &[libc::PR_SET_DUMPABLE];

/// Flags of `clone` that make namespaces, `CLONE_NEWTIME` apart, whose bit means something else there.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// Refuses this process and all it starts the calls above.
pub(super) fn confine(server: i32) -> Result<Layer, BackendError> {
    let supervisor = getppid().map_or(1, |pid| pid.as_raw_nonzero().get());
    // What is not there makes the C library use `clone`, whose flags a filter can see.
    let absent = program(Rules::from([(libc::SYS_clone3, Vec::new())]), Errno::NOSYS)?;
    let refused = program(rules(&[server, supervisor])?, Errno::PERM)?;
    let applied = [absent, refused]
        .iter()
        .all(|program| apply_filter(program).is_ok());
    Ok(if applied && refuses() {
        Layer::Enforced
    } else {
        Layer::Unsupported
    })
}

/// A filter that a runtime took and does not heed is none: so a harmless call that it refuses is tried.
fn refuses() -> bool {
    memfd_create("refused", MemfdFlags::CLOEXEC).err() == Some(Errno::PERM)
}

fn program(rules: Rules, refusal: Errno) -> Result<BpfProgram, BackendError> {
    let errno = refusal.raw_os_error().unsigned_abs();
    let filter = SeccompFilter::new(
        with_x32(rules),
        SeccompAction::Allow,
        SeccompAction::Errno(errno),
        std::env::consts::ARCH.try_into()?,
    )?;
    filter.try_into()
}

#[cfg(target_arch = "x86_64")]
fn with_x32(rules: Rules) -> Rules {
    let doubled = rules
        .iter()
        .map(|(number, rules)| (number | X32, rules.clone()));
    let mut doubled: Rules = doubled.collect();
    doubled.extend(rules);
    doubled
}

#[cfg(not(target_arch = "x86_64"))]
fn with_x32(rules: Rules) -> Rules {
    rules
}

fn rules(spared: &[i32]) -> Result<Rules, BackendError> {
    let mut rules: Rules = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let mut add = |call: i64, rule| rules.entry(call).or_default().push(rule);
    for (call, argument) in OWN_ONLY {
        add(*call, when(*argument, SeccompCmpOp::Ne, 0)?);
    }
    for (call, command) in OWNER_COMMANDS {
        add(*call, when(1, SeccompCmpOp::Eq, *command)?);
    }
    for command in PROCESS_COMMANDS {
        let command = command.cast_unsigned();
        add(libc::SYS_prctl, when(0, SeccompCmpOp::Eq, command)?);
    }
    for flag in NAMESPACES.map(libc::c_int::cast_unsigned) {
        let masked = SeccompCmpOp::MaskedEq(u64::from(flag));
        add(libc::SYS_clone, when(0, masked, flag)?);
    }
    for target in untouchable(spared) {
        add(libc::SYS_kill, when(0, SeccompCmpOp::Eq, target)?);
        add(libc::SYS_tgkill, when(0, SeccompCmpOp::Eq, target)?);
    }
    Ok(rules)
}

/// Targets of `kill` that are not the program's own: everybody, the first process, and the processes above it with
/// their groups. Where Landlock scopes signals this is its second lock; where it doesn't, other runs are not covered.
fn untouchable(spared: &[i32]) -> impl Iterator<Item = u32> {
    let everybody = [-1, 1];
    let named = spared.iter().flat_map(|pid| [*pid, -*pid]);
    named.chain(everybody).map(i32::cast_unsigned)
}

/// A rule about the lower half of one argument, which is all the kernel reads of an `int`.
fn when(argument: u8, operator: SeccompCmpOp, value: u32) -> Result<SeccompRule, BackendError> {
    let condition = SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Dword,
        operator,
        u64::from(value),
    )?;
    SeccompRule::new(vec![condition])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_can_be_made_and_leaves_the_network_alone() {
        let rules = rules(&[7, 8]).unwrap();
        for call in [
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_sendto,
            libc::SYS_recvfrom,
            libc::SYS_execve,
        ] {
            assert!(!rules.contains_key(&call), "{call}");
        }
        assert!(program(rules, Errno::PERM).unwrap().len() < 4096);
    }

    #[test]
    fn nobody_above_the_program_may_be_signalled() {
        let targets: Vec<i32> = untouchable(&[7, 8]).map(u32::cast_signed).collect();
        assert_eq!(targets, [7, -7, 8, -8, -1, 1]);
    }

    #[test]
    fn a_call_refused_without_condition_has_no_condition_beside_it() {
        let conditional = OWN_ONLY
            .iter()
            .map(|(call, _)| call)
            .chain(OWNER_COMMANDS.iter().map(|(call, _)| call));
        for call in conditional {
            assert!(!REFUSED.contains(call), "{call}");
        }
    }
}
