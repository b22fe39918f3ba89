//! What one run may use: what the interpreter allows at most, and what a request asks for within that.

use clap::Args;
use serde::{Deserialize, Serialize};

/// Limits of one run, as they are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Time from the program's start to its end, in seconds.
    pub wall_seconds: u64,
    /// Processor time, in seconds: of each process by `RLIMIT_CPU`, of all together by watching them.
    pub cpu_seconds: u64,
    /// Memory, in bytes: address space of each process by `RLIMIT_AS`, resident memory of all together by watching them.
    pub memory_bytes: u64,
    /// Processes and threads of the run, by watching them.
    pub processes: u64,
    /// Largest file, in bytes, by `RLIMIT_FSIZE`.
    pub file_bytes: u64,
    /// Disk space of the workspace and of files deleted but open, in bytes, by watching them; without Landlock also of
    /// what all programs have put into the directories that are wiped between runs.
    pub disk_bytes: u64,
    /// Open files of each process, by `RLIMIT_NOFILE`.
    pub open_files: u64,
    /// Output that is kept of each of stdout and stderr, in bytes; the rest is dropped.
    pub output_bytes: u64,
    /// Output of both after which the run is ended, in bytes.
    pub flood_bytes: u64,
}

/// What a request asks for; what it leaves out is the interpreter's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct WantedLimits {
    /// See [`Limits::wall_seconds`].
    pub wall_seconds: Option<u64>,
    /// See [`Limits::cpu_seconds`].
    pub cpu_seconds: Option<u64>,
    /// See [`Limits::memory_bytes`].
    pub memory_bytes: Option<u64>,
    /// See [`Limits::processes`].
    pub processes: Option<u64>,
    /// See [`Limits::file_bytes`].
    pub file_bytes: Option<u64>,
    /// See [`Limits::disk_bytes`].
    pub disk_bytes: Option<u64>,
    /// See [`Limits::open_files`].
    pub open_files: Option<u64>,
    /// See [`Limits::output_bytes`].
    pub output_bytes: Option<u64>,
    /// See [`Limits::flood_bytes`].
    pub flood_bytes: Option<u64>,
}

/// A limit that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is {wanted}; this interpreter allows {least} to {most}")]
pub struct LimitError {
    /// Member of the request.
    pub name: &'static str,
    /// What was asked for.
    pub wanted: u64,
    /// The least that makes sense.
    pub least: u64,
    /// The most that is allowed.
    pub most: u64,
}

/// Flags that say how much a run may use.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitArgs {
    /// Seconds a run gets when the request names none.
    #[arg(long, default_value_t = REFERENCE.default_seconds)]
    pub default_seconds: u64,
    /// Most seconds a request may name.
    #[arg(long, default_value_t = REFERENCE.max_seconds)]
    pub max_seconds: u64,
    /// Most processor seconds of a run.
    #[arg(long, default_value_t = REFERENCE.max_cpu_seconds)]
    pub max_cpu_seconds: u64,
    /// Most memory of a run, in bytes.
    #[arg(long, default_value_t = REFERENCE.max_memory)]
    pub max_memory: u64,
    /// Most processes and threads of a run.
    #[arg(long, default_value_t = REFERENCE.max_processes)]
    pub max_processes: u64,
    /// Largest file of a run, in bytes.
    #[arg(long, default_value_t = REFERENCE.max_file)]
    pub max_file: u64,
    /// Most disk space of a run, in bytes.
    #[arg(long, default_value_t = REFERENCE.max_disk)]
    pub max_disk: u64,
    /// Most open files of a process of a run.
    #[arg(long, default_value_t = REFERENCE.max_open_files)]
    pub max_open_files: u64,
    /// Most output kept of each of stdout and stderr, in bytes.
    #[arg(long, default_value_t = REFERENCE.max_output)]
    pub max_output: u64,
    /// Output after which a run is ended, in bytes.
    #[arg(long, default_value_t = REFERENCE.max_flood)]
    pub max_flood: u64,
}

/// What the reference stack allows.
const REFERENCE: LimitArgs = LimitArgs {
    default_seconds: 10,
    max_seconds: 300,
    max_cpu_seconds: 300,
    max_memory: 256 << 20,
    max_processes: 64,
    max_file: 8 << 20,
    max_disk: 16 << 20,
    max_open_files: 128,
    max_output: 64 << 10,
    max_flood: 16 << 20,
};

impl Default for LimitArgs {
    fn default() -> Self {
        REFERENCE
    }
}

/// CPython starts with less, but not much less.
const LEAST_MEMORY: u64 = 32 << 20;
/// CPython has these open when it reads a module from a directory.
const LEAST_OPEN_FILES: u64 = 8;

impl LimitArgs {
    /// The most a run may use.
    pub fn most(&self) -> Limits {
        Limits {
            wall_seconds: self.max_seconds,
            cpu_seconds: self.max_cpu_seconds,
            memory_bytes: self.max_memory,
            processes: self.max_processes,
            file_bytes: self.max_file,
            disk_bytes: self.max_disk,
            open_files: self.max_open_files,
            output_bytes: self.max_output,
            flood_bytes: self.max_flood,
        }
    }

    /// What a run gets that asks for nothing.
    pub fn default_limits(&self) -> Limits {
        Limits {
            wall_seconds: self.default_seconds.min(self.max_seconds),
            ..self.most()
        }
    }

    /// The limits of a run that asks for `wanted`.
    ///
    /// # Errors
    /// [`LimitError`] when a limit is beyond what is allowed, or below what a program can start with. It is not
    /// cut down silently: a caller that relies on a limit has to know.
    pub fn resolve(&self, wanted: &WantedLimits) -> Result<Limits, LimitError> {
        let (default, most) = (self.default_limits(), self.most());
        Ok(Limits {
            wall_seconds: Bound("wallSeconds", 1, most.wall_seconds)
                .choose(wanted.wall_seconds, default.wall_seconds)?,
            cpu_seconds: Bound("cpuSeconds", 1, most.cpu_seconds)
                .choose(wanted.cpu_seconds, default.cpu_seconds)?,
            memory_bytes: Bound("memoryBytes", LEAST_MEMORY, most.memory_bytes)
                .choose(wanted.memory_bytes, default.memory_bytes)?,
            processes: Bound("processes", 1, most.processes)
                .choose(wanted.processes, default.processes)?,
            file_bytes: Bound("fileBytes", 0, most.file_bytes)
                .choose(wanted.file_bytes, default.file_bytes)?,
            disk_bytes: Bound("diskBytes", 0, most.disk_bytes)
                .choose(wanted.disk_bytes, default.disk_bytes)?,
            open_files: Bound("openFiles", LEAST_OPEN_FILES, most.open_files)
                .choose(wanted.open_files, default.open_files)?,
            output_bytes: Bound("outputBytes", 0, most.output_bytes)
                .choose(wanted.output_bytes, default.output_bytes)?,
            flood_bytes: Bound("floodBytes", 1, most.flood_bytes)
                .choose(wanted.flood_bytes, default.flood_bytes)?,
        })
    }
}

/// Name, least and most of one limit.
struct Bound(&'static str, u64, u64);

impl Bound {
    fn choose(self, wanted: Option<u64>, default: u64) -> Result<u64, LimitError> {
        let Self(name, least, most) = self;
        match wanted {
            None => Ok(default),
            Some(wanted) if (least..=most).contains(&wanted) => Ok(wanted),
            Some(wanted) => Err(LimitError {
                name,
                wanted,
                least,
                most,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use proptest::prelude::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        limits: LimitArgs,
    }

    #[test]
    fn the_flags_default_to_the_limits_of_the_reference_stack() {
        assert_eq!(
            CommandLine::parse_from(["interpreter"]).limits,
            LimitArgs::default()
        );
    }

    #[test]
    fn a_request_that_asks_for_nothing_gets_the_defaults() {
        let args = LimitArgs::default();
        assert_eq!(
            args.resolve(&WantedLimits::default()),
            Ok(args.default_limits())
        );
        assert_eq!(args.default_limits().wall_seconds, 10);
    }

    #[test]
    fn a_limit_beyond_the_most_is_refused_by_name_and_not_cut_down() {
        let wanted = WantedLimits {
            wall_seconds: Some(u64::MAX),
            ..WantedLimits::default()
        };
        let error = LimitArgs::default().resolve(&wanted).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`wallSeconds` is 18446744073709551615; this interpreter allows 1 to 300"
        );
    }

    #[test]
    fn a_default_beyond_the_most_is_cut_down() {
        let args = LimitArgs {
            max_seconds: 3,
            ..LimitArgs::default()
        };
        assert_eq!(args.default_limits().wall_seconds, 3);
    }

    proptest! {
        #[test]
        fn what_is_applied_is_what_was_asked_for_and_never_more_than_allowed(memory in any::<u64>(), processes in any::<u64>()) {
            let wanted = WantedLimits {
                memory_bytes: Some(memory),
                processes: Some(processes),
                ..WantedLimits::default()
            };
            if let Ok(limits) = LimitArgs::default().resolve(&wanted) {
                prop_assert_eq!((limits.memory_bytes, limits.processes), (memory, processes));
                prop_assert!(memory <= 256 << 20 && processes <= 64);
            }
        }
    }
}
