//! The exit codes of the `portproof` binary; they are stable.

use std::process::ExitCode;

/// How the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All checks passed.
    Passed = 0,
    /// An error nobody expected.
    Unexpected = 1,
    /// Wrong usage or an invalid file.
    Usage = 2,
    /// The machine or the clusters cannot do what is asked.
    Doctor = 3,
    /// Nothing was selected.
    NothingSelected = 4,
    /// What ran passed, but cells are outstanding.
    Outstanding = 5,
    /// A MUST check failed.
    MustFailed = 8,
    /// Only SHOULD checks failed, and the user asked to fail on them.
    ShouldFailed = 9,
    /// The infrastructure failed: there is no verdict.
    Infrastructure = 10,
    /// The verdict stands in the report, but clean-up left something behind.
    CleanupIncomplete = 11,
    /// Interrupted by SIGINT.
    Interrupted = 130,
    /// Interrupted by SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
