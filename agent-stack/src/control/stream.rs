//! Answers that are streams: one task each, with a deadline, ended when the caller goes away.

use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status};

/// What a streaming call answers with.
pub(crate) type EventStream<T> = ReceiverStream<Result<T, Status>>;

/// Messages that wait for a slow caller before the work is held up.
const BUFFERED: usize = 64;

/// Where the work of a streaming call puts its events.
#[derive(Clone, Debug)]
pub(crate) struct Events<T>(mpsc::Sender<Result<T, Status>>);

impl<T> Events<T> {
    /// A pair for work that is driven by hand.
    #[cfg(test)]
    pub(crate) fn channel() -> (Self, mpsc::Receiver<Result<T, Status>>) {
        let (sender, receiver) = mpsc::channel(1024);
        (Self(sender), receiver)
    }

    /// Hands one event to the caller. A caller that is gone is no error here: the work ends by [`answer`].
    pub(crate) async fn send(&self, event: T) {
        let _ = self.0.send(Ok(event)).await;
    }
}

/// Runs `work` and answers with the stream of its events.
pub(crate) fn answer<T, F, Fut>(deadline: Duration, work: F) -> Response<EventStream<T>>
where
    T: Send + 'static,
    F: FnOnce(Events<T>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<(), Status>> + Send,
{
    let (sender, receiver) = mpsc::channel(BUFFERED);
    tokio::spawn(async move {
        let outcome = tokio::select! {
            outcome = within(deadline, work(Events(sender.clone()))) => outcome,
            () = sender.closed() => return,
        };
        if let Err(status) = outcome {
            let _ = sender.send(Err(status)).await;
        }
    });
    Response::new(ReceiverStream::new(receiver))
}

/// Bounds a call in time.
pub(crate) async fn within<T>(
    deadline: Duration,
    work: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    tokio::time::timeout(deadline, work)
        .await
        .unwrap_or_else(|_| {
            Err(Status::deadline_exceeded(format!(
                "not done within {} s",
                deadline.as_secs()
            )))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt as _;

    #[tokio::test]
    async fn the_failure_of_the_work_ends_the_stream() {
        let answer = answer(Duration::from_secs(5), |events: Events<u8>| async move {
            events.send(1).await;
            Err(Status::not_found("gone"))
        });
        let messages: Vec<_> = answer
            .into_inner()
            .map(|message| message.map_err(|status| status.code()))
            .collect()
            .await;
        assert_eq!(messages, [Ok(1), Err(tonic::Code::NotFound)]);
    }

    #[tokio::test]
    async fn work_past_its_deadline_is_ended_with_a_status() {
        let answer = answer(Duration::ZERO, |_: Events<u8>| std::future::pending());
        let messages: Vec<_> = answer
            .into_inner()
            .map(|message| message.map_err(|status| status.code()))
            .collect()
            .await;
        assert_eq!(messages, [Err(tonic::Code::DeadlineExceeded)]);
    }

    #[tokio::test]
    async fn work_ends_when_the_caller_goes_away() {
        let (ended, end) = tokio::sync::oneshot::channel::<()>();
        let answer = answer(Duration::from_mins(1), |_: Events<u8>| async move {
            let _held = ended;
            std::future::pending().await
        });
        drop(answer);
        assert!(
            end.await.is_err(),
            "the work was dropped and with it what it held"
        );
    }
}
