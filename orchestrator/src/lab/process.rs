//! Who a process is: its id alone is not enough, ids are used again.

use super::error::LabError;
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A process of the host that cannot be taken for a later one with the same id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Id in the host's process namespace.
    pub pid: i32,
    /// Start time in clock ticks since boot (`proc(5)`, field 22 of `stat`).
    pub start_time: u64,
    /// The boot that the start time counts from.
    pub boot_id: String,
}

impl ProcessIdentity {
    /// The calling process, as the `/proc` it sees knows it.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub fn of_this_process() -> Result<Self, LabError> {
        Self::read(Path::new("/proc/self"))
    }

    /// A process of this moment; `None` when there is none with this id.
    pub fn of(pid: i32) -> Option<Self> {
        Self::read(&PathBuf::from(format!("/proc/{pid}"))).ok()
    }

    fn read(directory: &Path) -> Result<Self, LabError> {
        let path = directory.join("stat");
        let stat = std::fs::read_to_string(&path).map_err(LabError::io("cannot read", &path))?;
        let boot = Path::new("/proc/sys/kernel/random/boot_id");
        let boot_id = std::fs::read_to_string(boot).map_err(LabError::io("cannot read", boot))?;
        let (pid, start_time) = parse_stat(&stat).ok_or_else(|| {
            LabError::io("cannot understand", &path)(std::io::ErrorKind::InvalidData.into())
        })?;
        Ok(Self {
            pid,
            start_time,
            boot_id: boot_id.trim().to_owned(),
        })
    }

    /// Whether exactly this process is still there and not a zombie.
    pub fn is_alive(&self) -> bool {
        let path = format!("/proc/{}/stat", self.pid);
        let zombie = std::fs::read_to_string(path).is_ok_and(|stat| is_zombie(&stat));
        !zombie && Self::of(self.pid).as_ref() == Some(self)
    }

    /// Sends a signal if exactly this process is still there.
    pub fn signal(&self, signal: Signal) {
        if let (true, Some(pid)) = (self.is_alive(), Pid::from_raw(self.pid)) {
            // It may end between the look and the signal; then there is nothing to do either.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Waits until the process has ended; `false` when it has not after `limit`.
    pub async fn ended_within(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        while self.is_alive() {
            if Instant::now() > end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        true
    }
}

/// Processes of the host that have `word` as one of their arguments.
pub(crate) fn with_argument(word: &str) -> Vec<ProcessIdentity> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| has_argument(&entry.path(), word))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(ProcessIdentity::of)
        .collect()
}

fn has_argument(process: &Path, word: &str) -> bool {
    std::fs::read(process.join("cmdline")).is_ok_and(|line| {
        line.split(|byte| *byte == 0)
            .any(|argument| argument == word.as_bytes())
    })
}

/// The command name in field 2 may hold spaces and brackets, so fields are counted from its last bracket.
fn parse_stat(stat: &str) -> Option<(i32, u64)> {
    let (pid, _) = stat.split_once(' ')?;
    let (_, rest) = stat.rsplit_once(") ")?;
    Some((pid.parse().ok()?, rest.split(' ').nth(19)?.parse().ok()?))
}

fn is_zombie(stat: &str) -> bool {
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufRead;

    #[test]
    fn a_process_name_with_brackets_does_not_shift_the_fields() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 1 1";
        assert_eq!(parse_stat(stat), Some((42, 777)));
        assert!(!is_zombie(stat));
    }

    #[test]
    fn this_process_is_alive_and_its_namesake_with_another_start_time_is_not() {
        let me = ProcessIdentity::of_this_process().unwrap();
        assert!(me.is_alive());
        let earlier = ProcessIdentity {
            start_time: me.start_time - 1,
            ..me
        };
        assert!(!earlier.is_alive());
    }

    #[test]
    fn a_process_is_found_by_a_whole_argument_only() {
        let word = format!("portproof-test-{}", uuid::Uuid::new_v4());
        let mut child = std::process::Command::new("sh")
            .args(["-c", "echo started; read line", &word])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // A process has its arguments only a moment after it was made; once it speaks, it has them.
        let mut said = String::new();
        std::io::BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut said)
            .unwrap();
        let found = with_argument(&word);
        let half = with_argument(&word[..20]);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(
            found
                .iter()
                .any(|process| process.pid.cast_unsigned() == child.id())
        );
        assert!(half.is_empty());
    }
}
