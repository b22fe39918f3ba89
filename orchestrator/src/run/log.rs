//! The append-only event log: JSON Lines, written before anyone is told.

use super::event::{Event, EventKind};
use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use jiff::Timestamp;
use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};

/// Why the event log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It could not be read or written.
    #[error("the event log cannot be read or written")]
    Io(#[from] io::Error),
    /// An event could not be written as JSON.
    #[error("an event cannot be written as JSON")]
    Serialise(#[source] serde_json::Error),
    /// There is no event in it.
    #[error("the event log `{}` is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line is no event.
    #[error("line {line} of `{}` is not an event of this version", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Counts from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl LogError {
    /// What to do about it, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io(_) | Self::Serialise(_) => None,
            Self::Empty { .. } => Some(
                "the run ended before it began: run the scenario again".to_owned(),
            ),
            Self::Malformed { .. } => Some(
                "was the file edited, or written by a later version of portproof? Events are one line of JSON each"
                    .to_owned(),
            ),
        }
    }
}

/// The log of a run that is under way.
#[derive(Debug)]
pub struct EventLog {
    file: fs::File,
    events: Vec<Event>,
}

impl EventLog {
    /// Opens the log of a new run.
    ///
    /// # Errors
    /// When the file is there already or cannot be made.
    pub fn create(path: &Path) -> Result<Self, LogError> {
        let mut options = fs::OpenOptions::new();
        options.append(true).create_new(true).mode(0o600);
        Ok(Self {
            file: options.open(path)?,
            events: Vec::new(),
        })
    }

    /// Gives an event its number, writes it as one line and keeps it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(&mut self, at: Timestamp, kind: EventKind) -> Result<&Event, LogError> {
        let event = Event {
            seq: self.events.len() as u64 + 1,
            at,
            kind,
        };
        let mut line = serde_json::to_vec(&event).map_err(LogError::Serialise)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.events.push(event);
        Ok(&self.events[self.events.len() - 1])
    }

    /// Everything so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }
}

/// Reads a log; a last line that was torn by a crash is left out.
///
/// # Errors
/// When the file cannot be read, holds no event, or a line before the last is none.
pub fn read(path: &Path) -> Result<Vec<Event>, LogError> {
    let lines: Vec<String> = io::BufReader::new(fs::File::open(path)?)
        .lines()
        .collect::<Result<_, _>>()?;
    let mut events = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        match serde_json::from_str(line) {
            Ok(event) => events.push(event),
            Err(_) if index + 1 == lines.len() => break,
            Err(source) => {
                return Err(LogError::Malformed {
                    path: path.to_owned(),
                    line: index + 1,
                    source,
                });
            }
        }
    }
    if events.is_empty() {
        return Err(LogError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(exit_code: u8) -> EventKind {
        EventKind::RunFinished {
            exit_code,
            elapsed_ms: 7,
        }
    }

    #[test]
    fn what_was_appended_is_read_back_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        let mut log = EventLog::create(&path).unwrap();
        for code in 0..3 {
            log.append(Timestamp::UNIX_EPOCH, finished(code)).unwrap();
        }
        assert_eq!(read(&path).unwrap(), log.events());
    }

    #[test]
    fn a_torn_last_line_is_left_out_and_a_torn_one_before_it_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        let mut log = EventLog::create(&path).unwrap();
        log.append(Timestamp::UNIX_EPOCH, finished(0)).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{}", &whole[..20])).unwrap();
        assert_eq!(read(&path).unwrap().len(), 1);
        fs::write(&path, format!("{}\n{whole}", &whole[..20])).unwrap();
        assert!(matches!(
            read(&path),
            Err(LogError::Malformed { line: 1, .. })
        ));
    }

    #[test]
    fn a_log_without_a_whole_event_is_said_to_be_empty() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        for text in ["", "{\"seq\": 1"] {
            fs::write(&path, text).unwrap();
            assert!(matches!(read(&path), Err(LogError::Empty { .. })));
        }
    }

    #[test]
    fn an_existing_log_is_never_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        EventLog::create(&path).unwrap();
        assert!(EventLog::create(&path).is_err());
    }
}
