//! Which kernel this process stands on, as it sees it itself.

use serde::{Deserialize, Serialize};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Raw values that tell one kernel from another; judging them is the orchestrator's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fingerprint {
    /// `uname -r`.
    pub release: String,
    /// `uname -v`.
    pub version: String,
    /// `/proc/sys/kernel/random/boot_id`; empty when it cannot be read.
    pub boot_id: String,
    /// `/proc/version`; empty when it cannot be read.
    pub proc_version: String,
    /// Whether `/proc/sentry-meminfo` is there, which only gVisor has.
    pub sentry_meminfo: bool,
    /// Whether `/proc/kallsyms` is there.
    pub kallsyms: bool,
    /// First line of `/dev/kmsg`; empty where it may not be read.
    pub kernel_log: String,
}

impl Fingerprint {
    /// Reads the values.
    pub fn read() -> Self {
        let uname = rustix::system::uname();
        Self {
            release: uname.release().to_string_lossy().into_owned(),
            version: uname.version().to_string_lossy().into_owned(),
            boot_id: text("/proc/sys/kernel/random/boot_id"),
            proc_version: text("/proc/version"),
            sentry_meminfo: Path::new("/proc/sentry-meminfo").exists(),
            kallsyms: Path::new("/proc/kallsyms").exists(),
            kernel_log: kernel_log(),
        }
    }
}

fn text(path: &str) -> String {
    fs_err::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// Reads without blocking: an empty log would otherwise be waited for.
fn kernel_log() -> String {
    let mut options = std::fs::OpenOptions::new();
    options
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let Ok(log) = options.open("/dev/kmsg") else {
        return String::new();
    };
    let mut line = String::new();
    match BufReader::new(log).take(1024).read_line(&mut line) {
        Ok(_) => line.trim().to_owned(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_that_of_the_running_kernel() {
        let found = Fingerprint::read();
        assert!(found.proc_version.contains(&found.release), "{found:?}");
        assert_eq!(found.boot_id.len(), 36);
        assert_eq!(found, Fingerprint::read());
    }
}
