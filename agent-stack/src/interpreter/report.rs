//! What a run ended with, and what the processes that carry it out tell each other about it.

use super::limits::Limits;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The program ended itself, with whatever code.
    Exited,
    /// A signal ended the program that was not sent for a limit.
    Signalled,
    /// [`Limits::wall_seconds`].
    WallClock,
    /// [`Limits::cpu_seconds`].
    Cpu,
    /// [`Limits::memory_bytes`], exceeded by all processes together. One process alone is refused the memory instead,
    /// which Python raises as `MemoryError`.
    Memory,
    /// [`Limits::processes`].
    Processes,
    /// [`Limits::disk_bytes`], or a directory tree that cannot be measured.
    Disk,
    /// [`Limits::flood_bytes`].
    Output,
    /// The caller went away.
    Cancelled,
}

impl EndedBy {
    /// The word for it in answers and spans.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exited => "exited",
            Self::Signalled => "signalled",
            Self::WallClock => "wall_clock",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Processes => "processes",
            Self::Disk => "disk",
            Self::Output => "output",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What a run used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Time from the program's start to its end, in milliseconds.
    pub wall_ms: u64,
    /// Processor time in user mode of everything that was waited for, in milliseconds, as fine as the kernel's clock
    /// tick (10 ms as a rule).
    pub user_cpu_ms: u64,
    /// Processor time in the kernel, likewise.
    pub system_cpu_ms: u64,
    /// Largest resident memory of the program's processes together that was seen, in bytes. It is looked at every few
    /// milliseconds; absent for a program that was faster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rss_bytes: Option<u64>,
    /// Most processes and threads that were seen at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_processes: Option<u64>,
    /// Processes that were still there when the program had ended, and were ended too.
    pub left_over: u64,
}

/// Whether one layer of confinement holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// All of it.
    Enforced,
    /// As much as an older kernel offers.
    Partial,
    /// The kernel doesn't offer it.
    Unsupported,
}

impl Layer {
    /// The word for it in answers and spans.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Partial => "partial",
            Self::Unsupported => "unsupported",
        }
    }
}

/// What confines the program beyond the pod, found out in the process that became it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Confinement {
    /// Landlock: which files may be read and written; from ABI 6 on also whom signals and abstract sockets may reach.
    pub landlock: Layer,
    /// The ABI of Landlock that the kernel and this program share; 0 without.
    pub landlock_abi: u32,
    /// The seccomp filter, proven by a system call that it refuses.
    pub seccomp: Layer,
    /// Whether the program can't gain privileges by executing a file.
    pub no_new_privs: bool,
}

impl Confinement {
    /// Whether every layer holds.
    pub fn is_complete(&self) -> bool {
        self.landlock == Layer::Enforced && self.seccomp == Layer::Enforced && self.no_new_privs
    }
}

/// One run, as the server hands it to `run-limited` and that to `run-confined`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    /// This program.
    pub(super) launcher: PathBuf,
    /// The Python to run.
    pub(super) python: PathBuf,
    /// Directory that holds the program.
    pub(super) workspace: PathBuf,
    /// Directories that every program can fill unless Landlock keeps it in its workspace.
    pub(super) shared: Vec<PathBuf>,
    /// What the run may use.
    pub(super) limits: Limits,
    /// `RLIMIT_NPROC`, but under gVisor: processes and threads of this user, on the whole node.
    pub(super) user_processes: u64,
    /// What the program may read, beside its workspace.
    pub(super) readable: Vec<PathBuf>,
    /// Process id of the server, which the program may not signal.
    pub(super) server: i32,
    /// Whether to run nothing unless every layer of confinement holds.
    pub(super) require_confinement: bool,
}

/// What `run-confined` says before it becomes the program, or when it fails to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Prepared {
    /// The next thing this process does is to become the program.
    Ready(Confinement),
    /// It will not.
    Refused(Refusal),
}

/// Why a program was not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Refusal {
    /// A layer of confinement is missing that is required.
    Unconfined(Confinement),
    /// Something failed; the text says what.
    Failed(String),
}

/// What `run-limited` says at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    /// The program ran.
    Ended(Ended),
    /// It did not.
    Refused(Refusal),
}

/// The end of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ended {
    /// What ended it.
    pub(super) cause: EndedBy,
    /// Exit code; 128 + n after signal n.
    pub(super) exit_code: i32,
    pub(super) usage: Usage,
    pub(super) confinement: Confinement,
    /// Whether processes of the run may still be there.
    pub(super) survivors: bool,
}

/// What the server writes to `run-limited` to end a run because of its output. The end of the connection means that
/// nobody waits for the run any more.
pub(super) const FLOODED: u8 = b'o';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_wire() {
        let all = [
            EndedBy::Exited,
            EndedBy::Signalled,
            EndedBy::WallClock,
            EndedBy::Cpu,
            EndedBy::Memory,
            EndedBy::Processes,
            EndedBy::Disk,
            EndedBy::Output,
            EndedBy::Cancelled,
        ];
        for ended_by in all {
            assert_eq!(serde_json::to_value(ended_by).unwrap(), ended_by.name());
        }
        for layer in [Layer::Enforced, Layer::Partial, Layer::Unsupported] {
            assert_eq!(serde_json::to_value(layer).unwrap(), layer.name());
        }
    }

    #[test]
    fn confinement_is_complete_only_with_every_layer() {
        let complete = Confinement {
            landlock: Layer::Enforced,
            landlock_abi: 6,
            seccomp: Layer::Enforced,
            no_new_privs: true,
        };
        assert!(complete.is_complete());
        for broken in [
            Confinement {
                landlock: Layer::Partial,
                ..complete
            },
            Confinement {
                seccomp: Layer::Unsupported,
                ..complete
            },
            Confinement {
                no_new_privs: false,
                ..complete
            },
        ] {
            assert!(!broken.is_complete(), "{broken:?}");
        }
    }
}
