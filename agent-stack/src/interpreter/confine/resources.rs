//! Resource limits of the process that becomes the program; its children inherit them.

use crate::interpreter::limits::Limits;
use crate::interpreter::supervise::members::threads_there;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io;
use std::path::Path;

/// Seconds between SIGXCPU and SIGKILL.
const LAST_WORDS: u64 = 1;

/// A limit that could not be set; the program does not run without it.
#[derive(Debug, thiserror::Error)]
#[error("the limit of {limit} cannot be set to {value}")]
pub struct ResourceError {
    /// What is limited.
    limit: &'static str,
    /// The wanted value.
    value: u64,
    /// What the kernel said.
    #[source]
    source: io::Error,
}

/// Sets every limit but that of memory; `user_processes` is for kernels that are shared with others.
pub(super) fn apply(limits: &Limits, user_processes: u64) -> Result<(), ResourceError> {
    let user_processes = if gvisor() {
        threads_there() + limits.processes
    } else {
        user_processes
    };
    let cpu = limits.cpu_seconds;
    set("processor time", Resource::Cpu, cpu, cpu + LAST_WORDS)?;
    exactly("file size", Resource::Fsize, limits.file_bytes)?;
    exactly("processes", Resource::Nproc, user_processes)?;
    exactly("open files", Resource::Nofile, limits.open_files)?;
    exactly("core size", Resource::Core, 0)
}

/// `RLIMIT_NPROC` counts all processes and threads that the user has on the node, most of which cannot be seen from
/// here, and it never stops root; what holds for one run is the supervisor's count. gVisor's kernel is the pod's own, so
/// there it can be an exact limit, and has to be: starting and counting processes is slow there, and a fork bomb would be
/// faster than the supervisor.
fn gvisor() -> bool {
    Path::new("/proc/sentry-meminfo").exists()
}

/// Limits memory. Comes last: this process may already use more than the program may.
pub(super) fn limit_memory(limits: &Limits) -> Result<(), ResourceError> {
    exactly("memory", Resource::As, limits.memory_bytes)
}

fn exactly(limit: &'static str, resource: Resource, value: u64) -> Result<(), ResourceError> {
    set(limit, resource, value, value)
}

fn set(
    limit: &'static str,
    resource: Resource,
    value: u64,
    maximum: u64,
) -> Result<(), ResourceError> {
    let pair = Rlimit {
        current: Some(value),
        maximum: Some(maximum),
    };
    setrlimit(resource, pair).map_err(|source| ResourceError {
        limit,
        value,
        source: source.into(),
    })
}
