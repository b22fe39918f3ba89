//! The one event loop of a run. Work, signals and time meet here and nowhere else, so that the event log is the single
//! source of truth and every listener sees the same order.

use super::event::{Event, EventKind};
use super::log::{EventLog, LogError};
use jiff::Timestamp;
use std::pin::pin;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Someone who is told of each event after it was written.
pub trait Listener: Send {
    /// An event was written.
    fn on_event(&mut self, event: &Event);
}

/// Where work reports what happened; cheap to clone.
#[derive(Clone, Debug)]
pub struct EventSender(mpsc::UnboundedSender<EventKind>);

impl EventSender {
    /// Reports an event. After the dispatcher has ended nobody listens any more, and that is no error of the work.
    pub fn send(&self, kind: EventKind) {
        let _ = self.0.send(kind);
    }
}

/// The channel between work and dispatcher.
pub fn channel() -> (EventSender, mpsc::UnboundedReceiver<EventKind>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (EventSender(sender), receiver)
}

/// How far the user wants the run to stop: once for an orderly end, twice for an end at once.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Start no more work, give up what is under way, clean up, report.
    pub orderly: CancellationToken,
    /// Give up cleaning as well; only the report is still written.
    pub at_once: CancellationToken,
}

impl Stop {
    fn escalate(&self) {
        if self.orderly.is_cancelled() {
            self.at_once.cancel();
        }
        self.orderly.cancel();
    }
}

/// A request of the user to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// `kill`.
    Terminate,
}

impl Signal {
    /// The name of the signal.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }
}

/// What the dispatcher drives: the log it writes, who listens, and where stop requests come from.
pub struct Dispatcher {
    /// Written first.
    pub log: EventLog,
    /// Told next.
    pub listener: Box<dyn Listener>,
    /// Stop requests of the user.
    pub signals: mpsc::Receiver<Signal>,
    /// Escalated by each request.
    pub stop: Stop,
}

impl Dispatcher {
    /// Drives `work` to its end and writes every event it sends; gives back the log, the work's result and the first
    /// signal, if one came.
    ///
    /// # Errors
    /// When the event log cannot be written: without a log there is no verdict.
    pub async fn drive<T>(
        mut self,
        mut events: mpsc::UnboundedReceiver<EventKind>,
        work: impl Future<Output = T>,
    ) -> Result<Driven<T>, LogError> {
        let mut work = pin!(work);
        let mut first_signal = None;
        let result = loop {
            tokio::select! {
                biased;
                Some(kind) = events.recv() => self.write(kind)?,
                Some(signal) = self.signals.recv() => {
                    first_signal.get_or_insert(signal);
                    self.stop.escalate();
                    self.write(EventKind::Interrupted { signal: signal.name().to_owned() })?;
                }
                result = &mut work => break result,
            }
        };
        while let Ok(kind) = events.try_recv() {
            self.write(kind)?;
        }
        Ok(Driven {
            dispatcher: self,
            result,
            signal: first_signal,
        })
    }

    /// Writes one event and tells the listener.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn write(&mut self, kind: EventKind) -> Result<(), LogError> {
        let event = self.log.append(Timestamp::now(), kind)?;
        self.listener.on_event(event);
        Ok(())
    }
}

/// The end of a driven piece of work.
pub struct Driven<T> {
    /// The dispatcher, to write what comes after.
    pub dispatcher: Dispatcher,
    /// What the work gave back.
    pub result: T,
    /// The first stop request of the user.
    pub signal: Option<Signal>,
}

/// Hands SIGINT and SIGTERM to the dispatcher.
///
/// # Errors
/// When the process cannot listen to signals.
pub fn listen_to_signals() -> std::io::Result<mpsc::Receiver<Signal>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = mpsc::channel(4);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        loop {
            let signal = tokio::select! {
                Some(()) = interrupt.recv() => Signal::Interrupt,
                Some(()) = terminate.recv() => Signal::Terminate,
                else => return,
            };
            if sender.send(signal).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Collect(mpsc::UnboundedSender<u64>);

    impl Listener for Collect {
        fn on_event(&mut self, event: &Event) {
            self.0.send(event.seq).unwrap();
        }
    }

    struct Bench {
        dispatcher: Dispatcher,
        signals: mpsc::Sender<Signal>,
        heard: mpsc::UnboundedReceiver<u64>,
        _directory: tempfile::TempDir,
    }

    fn bench() -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let (signals, receiver) = mpsc::channel(4);
        let (tell, heard) = mpsc::unbounded_channel();
        let dispatcher = Dispatcher {
            log: EventLog::create(&directory.path().join("events.jsonl")).unwrap(),
            listener: Box::new(Collect(tell)),
            signals: receiver,
            stop: Stop::default(),
        };
        Bench {
            dispatcher,
            signals,
            heard,
            _directory: directory,
        }
    }

    fn progress(message: &str) -> EventKind {
        EventKind::StepProgress {
            step: "s".into(),
            role: None,
            message: message.into(),
        }
    }

    #[tokio::test]
    async fn events_are_written_in_the_order_they_were_sent_and_none_is_lost_at_the_end() {
        let mut bench = bench();
        let (sender, events) = channel();
        let work = async move {
            for number in 0..100 {
                sender.send(progress(&number.to_string()));
            }
            7
        };
        let driven = bench.dispatcher.drive(events, work).await.unwrap();
        assert_eq!(driven.result, 7);
        assert_eq!(driven.dispatcher.log.events().len(), 100);
        for expected in 1..=100 {
            assert_eq!(bench.heard.recv().await, Some(expected));
        }
    }

    #[tokio::test]
    async fn the_first_signal_asks_for_an_orderly_end_and_the_second_for_an_end_at_once() {
        let bench = bench();
        let (_sender, events) = channel();
        let stop = bench.dispatcher.stop.clone();
        let signals = bench.signals.clone();
        let work = async move {
            signals.send(Signal::Interrupt).await.unwrap();
            stop.orderly.cancelled().await;
            let too_early = stop.at_once.is_cancelled();
            signals.send(Signal::Terminate).await.unwrap();
            stop.at_once.cancelled().await;
            too_early
        };
        let driven = bench.dispatcher.drive(events, work).await.unwrap();
        assert!(!driven.result);
        assert_eq!(driven.signal, Some(Signal::Interrupt));
        assert_eq!(driven.dispatcher.log.events().len(), 2);
    }
}
