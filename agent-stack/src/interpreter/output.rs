//! Takes in what a process writes, up to a cap, and lets the rest go.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::task::JoinHandle;

/// What one output of a process said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Output {
    /// The text; bytes that are not UTF-8 are replaced.
    pub(super) text: String,
    /// Whether more was written than is kept.
    pub(super) truncated: bool,
}

/// Reads one output in the background.
#[derive(Debug)]
pub(super) struct Reader {
    kept: Arc<Mutex<Kept>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    truncated: bool,
}

impl Reader {
    /// Starts reading; at most `cap` bytes are kept, the rest is read and dropped so that the writer never blocks.
    pub(super) fn start(source: impl AsyncRead + Send + Unpin + 'static, cap: usize) -> Self {
        let kept = Arc::new(Mutex::new(Kept::default()));
        let task = tokio::spawn(drain(source, cap, Arc::clone(&kept)));
        Self { kept, task }
    }

    /// Waits for the end of the output.
    pub(super) async fn end(&mut self) {
        // A reader that panicked has nothing more to say.
        let _ = (&mut self.task).await;
    }

    /// What has been read so far; reading stops.
    pub(super) fn take(self) -> Output {
        self.task.abort();
        let kept = std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        Output {
            text: String::from_utf8_lossy(&kept.bytes).into_owned(),
            truncated: kept.truncated,
        }
    }
}

async fn drain(mut source: impl AsyncRead + Unpin, cap: usize, kept: Arc<Mutex<Kept>>) {
    let mut buffer = [0; 8192];
    while let Ok(count) = source.read(&mut buffer).await {
        if count == 0 {
            return;
        }
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = cap.saturating_sub(kept.bytes.len()).min(count);
        kept.bytes.extend_from_slice(&buffer[..room]);
        kept.truncated |= room < count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &'static [u8], cap: usize) -> Output {
        let mut reader = Reader::start(bytes, cap);
        reader.end().await;
        reader.take()
    }

    #[tokio::test]
    async fn what_exceeds_the_cap_is_dropped_and_said_so() {
        assert_eq!(
            read(b"abcdef", 4).await,
            Output {
                text: "abcd".into(),
                truncated: true
            }
        );
        assert_eq!(
            read(b"abcd", 4).await,
            Output {
                text: "abcd".into(),
                truncated: false
            }
        );
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(read(b"a\xff", 4).await.text, "a\u{fffd}");
    }
}
