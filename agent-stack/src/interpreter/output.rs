//! Takes in what a program writes, up to a cap, and lets the rest go.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What one output of a program said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Output {
    /// The text; bytes that are not UTF-8 are replaced.
    pub(super) text: String,
    /// Whether more was written than is kept.
    pub(super) truncated: bool,
}

/// Counts what a program writes altogether, and calls out once it is too much.
#[derive(Debug)]
pub(super) struct Flood {
    limit: u64,
    written: AtomicU64,
    exceeded: Notify,
}

impl Flood {
    /// Calls out beyond `limit` bytes.
    pub(super) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            limit,
            written: AtomicU64::new(0),
            exceeded: Notify::new(),
        })
    }

    /// Returns when too much has been written.
    pub(super) async fn exceeded(&self) {
        self.exceeded.notified().await;
    }

    fn add(&self, count: u64) {
        if self.written.fetch_add(count, Ordering::Relaxed) + count > self.limit {
            self.exceeded.notify_one();
        }
    }
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
    pub(super) fn start(
        source: impl AsyncRead + Send + Unpin + 'static,
        cap: usize,
        flood: Arc<Flood>,
    ) -> Self {
        let kept = Arc::new(Mutex::new(Kept::default()));
        let task = tokio::spawn(drain(source, cap, Arc::clone(&kept), flood));
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
            text: String::from_utf8_lossy(kept.whole()).into_owned(),
            truncated: kept.truncated,
        }
    }
}

impl Kept {
    /// The bytes without the beginning of a letter that the cap cut in two: the program wrote no broken one.
    fn whole(&self) -> &[u8] {
        let last = self.bytes.utf8_chunks().last();
        let rest = last.map_or(&[][..], |chunk| chunk.invalid());
        let is_begun = str::from_utf8(rest).is_err_and(|error| error.error_len().is_none());
        let cut = if self.truncated && is_begun {
            rest.len()
        } else {
            0
        };
        &self.bytes[..self.bytes.len() - cut]
    }
}

async fn drain(
    mut source: impl AsyncRead + Unpin,
    cap: usize,
    kept: Arc<Mutex<Kept>>,
    flood: Arc<Flood>,
) {
    let mut buffer = [0; 8192];
    while let Ok(count) = source.read(&mut buffer).await {
        if count == 0 {
            return;
        }
        flood.add(count as u64);
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = cap.saturating_sub(kept.bytes.len()).min(count);
        kept.bytes.extend_from_slice(&buffer[..room]);
        kept.truncated |= room < count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    async fn read(bytes: &'static [u8], cap: usize, flood: &Arc<Flood>) -> Output {
        let mut reader = Reader::start(bytes, cap, Arc::clone(flood));
        reader.end().await;
        reader.take()
    }

    fn output(text: &str, truncated: bool) -> Output {
        Output {
            text: text.into(),
            truncated,
        }
    }

    #[tokio::test]
    async fn what_exceeds_the_cap_is_dropped_and_said_so() {
        let flood = Flood::new(100);
        assert_eq!(read(b"abcdef", 4, &flood).await, output("abcd", true));
        assert_eq!(read(b"abcd", 4, &flood).await, output("abcd", false));
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(read(b"a\xff", 4, &Flood::new(100)).await.text, "a\u{fffd}");
    }

    #[tokio::test]
    async fn a_letter_that_the_cap_would_cut_in_two_is_dropped_whole() {
        let flood = Flood::new(100);
        let read = async |text: &'static [u8]| read(text, 3, &flood).await;
        assert_eq!(read("aé!".as_bytes()).await, output("aé", true));
        assert_eq!(read("aaé!".as_bytes()).await, output("aa", true));
        assert_eq!(read(b"aa\xc3").await, output("aa\u{fffd}", false));
        assert_eq!(read(b"aa\xff!").await, output("aa\u{fffd}", true));
    }

    #[tokio::test]
    async fn a_flood_is_what_both_outputs_write_together() {
        let flood = Flood::new(7);
        read(b"abcd", 1, &flood).await;
        assert!(flood.exceeded().now_or_never().is_none());
        read(b"abcd", 1, &flood).await;
        assert!(flood.exceeded().now_or_never().is_some());
    }
}
