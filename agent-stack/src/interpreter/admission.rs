//! How many programs run at the same time, and how many may wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// There is no room for another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{running} programs run and {waiting} wait, which is all this interpreter takes")]
pub struct Busy {
    /// Programs that may run at the same time.
    pub running: usize,
    /// Programs that may wait.
    pub waiting: usize,
}

/// Lets programs in.
#[derive(Clone, Debug)]
pub(super) struct Admission {
    running: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    most: Busy,
}

impl Admission {
    /// `running` programs at the same time, and `waiting` that wait for one of them to end.
    pub(super) fn new(running: usize, waiting: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(running.max(1))),
            waiting: Arc::default(),
            most: Busy { running, waiting },
        }
    }

    /// Waits for a place; it is free again when the permit is dropped.
    pub(super) async fn enter(&self) -> Result<Option<OwnedSemaphorePermit>, Busy> {
        if let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() {
            return Ok(Some(permit));
        }
        let _place = self.queue()?;
        // The semaphore is never closed.
        Ok(Arc::clone(&self.running).acquire_owned().await.ok())
    }

    fn queue(&self) -> Result<Place, Busy> {
        let place = Place(Arc::clone(&self.waiting));
        if self.waiting.fetch_add(1, Ordering::SeqCst) < self.most.waiting {
            Ok(place)
        } else {
            Err(self.most)
        }
    }
}

/// A place in the queue, given up also by a caller that goes away.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn beyond_those_that_run_and_wait_nobody_is_let_in() {
        let admission = Admission::new(1, 1);
        let running = admission.enter().await.unwrap();
        let mut waiting = Box::pin(admission.enter());
        assert!(waiting.as_mut().now_or_never().is_none());
        let refused = admission.enter().await.unwrap_err();
        assert_eq!((refused.running, refused.waiting), (1, 1));
        drop(running);
        assert!(waiting.await.is_ok());
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_gives_up_its_place() {
        let admission = Admission::new(1, 1);
        let _running = admission.enter().await.unwrap();
        let mut gone = Box::pin(admission.enter());
        assert!(gone.as_mut().now_or_never().is_none());
        drop(gone);
        let mut next = Box::pin(admission.enter());
        assert!(next.as_mut().now_or_never().is_none());
    }
}
