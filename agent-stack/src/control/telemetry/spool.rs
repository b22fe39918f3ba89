//! What has been received and is not yet acknowledged, numbered without gaps.

use crate::control::clock;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Bytes that may wait for an acknowledgement.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Batches that may wait for an acknowledgement.
const MAX_BATCHES: usize = 16_384;

/// One received batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Counts from 1 without gaps.
    pub(crate) sequence: u64,
    /// When it was received.
    pub(crate) received_ns: u64,
    /// An OTLP `ExportTraceServiceRequest`.
    pub(crate) otlp: Bytes,
}

/// A bounded queue that forgets only what was acknowledged; when it is full the newest batch is dropped and counted.
#[derive(Debug)]
pub(crate) struct Spool {
    state: Mutex<State>,
    last: watch::Sender<u64>,
    limits: Limits,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) bytes: usize,
    pub(crate) batches: usize,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Entry>,
    bytes: usize,
    last: u64,
    dropped: u64,
}

impl Default for Spool {
    fn default() -> Self {
        Self::bounded(Limits {
            bytes: MAX_BYTES,
            batches: MAX_BATCHES,
        })
    }
}

impl Spool {
    pub(crate) fn bounded(limits: Limits) -> Self {
        Self {
            state: Mutex::default(),
            last: watch::Sender::new(0),
            limits,
        }
    }

    /// Takes a batch in; `false` when there was no room for it.
    pub(crate) fn push(&self, otlp: Bytes) -> bool {
        let mut state = self.state();
        if state.waiting.len() >= self.limits.batches
            || state.bytes + otlp.len() > self.limits.bytes
        {
            state.dropped += 1;
            return false;
        }
        state.last += 1;
        state.bytes += otlp.len();
        let entry = Entry {
            sequence: state.last,
            received_ns: clock::now_ns(),
            otlp,
        };
        state.waiting.push_back(entry);
        self.last.send_replace(state.last);
        true
    }

    /// Forgets everything up to and including `sequence`.
    pub(crate) fn acknowledge(&self, sequence: u64) {
        let mut state = self.state();
        while state
            .waiting
            .front()
            .is_some_and(|entry| entry.sequence <= sequence)
        {
            if let Some(entry) = state.waiting.pop_front() {
                state.bytes -= entry.otlp.len();
            }
        }
    }

    /// The first batch after `sequence`, with the number of batches dropped so far.
    pub(crate) fn after(&self, sequence: u64) -> Option<(Entry, u64)> {
        let state = self.state();
        let first = state
            .waiting
            .partition_point(|entry| entry.sequence <= sequence);
        state
            .waiting
            .get(first)
            .map(|entry| (entry.clone(), state.dropped))
    }

    /// Returns once a batch after `sequence` has been taken in.
    pub(crate) async fn grown(&self, sequence: u64) {
        // The sender lives as long as the spool, so the wait cannot fail.
        let _ = self
            .last
            .subscribe()
            .wait_for(|last| *last > sequence)
            .await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sequences(spool: &Spool, mut after: u64) -> Vec<u64> {
        let mut found = Vec::new();
        while let Some((entry, _)) = spool.after(after) {
            after = entry.sequence;
            found.push(after);
        }
        found
    }

    #[test]
    fn what_is_not_acknowledged_is_handed_out_again() {
        let spool = Spool::default();
        for _ in 0..3 {
            assert!(spool.push(Bytes::from_static(b"x")));
        }
        assert_eq!(sequences(&spool, 0), [1, 2, 3]);
        spool.acknowledge(1);
        assert_eq!(sequences(&spool, 0), [2, 3]);
    }

    #[test]
    fn a_full_spool_counts_what_it_drops_and_leaves_no_gap() {
        let spool = Spool::bounded(Limits {
            bytes: 100,
            batches: 1,
        });
        assert!(spool.push(Bytes::from_static(b"a")));
        assert!(!spool.push(Bytes::from_static(b"b")));
        spool.acknowledge(1);
        assert!(spool.push(Bytes::from_static(b"c")));
        let (entry, dropped) = spool.after(1).unwrap();
        assert_eq!(
            (entry.sequence, entry.otlp.as_ref(), dropped),
            (2, b"c".as_ref(), 1)
        );
    }

    #[test]
    fn a_batch_larger_than_the_room_is_dropped() {
        let spool = Spool::bounded(Limits {
            bytes: 2,
            batches: 9,
        });
        assert!(!spool.push(Bytes::from_static(b"abc")));
    }

    proptest! {
        #[test]
        fn whatever_is_acknowledged_the_rest_stays_in_order(count in 0u64..40, acknowledged in 0u64..50, after in 0u64..50) {
            let spool = Spool::default();
            for _ in 0..count {
                spool.push(Bytes::from_static(b"x"));
            }
            spool.acknowledge(acknowledged);
            let expected: Vec<_> = (1..=count).filter(|sequence| *sequence > acknowledged.max(after)).collect();
            prop_assert_eq!(sequences(&spool, after), expected);
        }
    }
}
