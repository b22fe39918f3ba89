//! Collects the telemetry that an agent relays, acknowledging each batch it holds.

use super::channel::Client;
use super::error::RpcError;
use super::spans::SpanStore;
use portproof_proto::v1::{TelemetryAck, TelemetryBatch};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

const CALL: &str = "RelayTelemetry";
/// Acknowledgements under way; one more than the agent may have unanswered would only wait.
const ACKS: usize = 64;
const RECONNECT_PAUSE: Duration = Duration::from_millis(200);

/// The relay of one cluster; it ends when this is dropped.
pub struct Relay {
    store: Arc<SpanStore>,
    task: JoinHandle<()>,
}

impl Relay {
    pub(super) async fn start(client: Client) -> Result<Self, RpcError> {
        let store = Arc::new(SpanStore::default());
        let stream = Subscription::open(client.clone()).await?;
        let task = tokio::spawn(collect(client, stream, Arc::clone(&store)));
        Ok(Self { store, task })
    }

    /// Everything that arrived.
    pub fn spans(&self) -> &SpanStore {
        &self.store
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Subscription {
    batches: Streaming<TelemetryBatch>,
    acks: mpsc::Sender<TelemetryAck>,
}

impl Subscription {
    async fn open(mut client: Client) -> Result<Self, RpcError> {
        let (acks, receiver) = mpsc::channel(ACKS);
        let _ = acks.send(TelemetryAck { acknowledged: 0 }).await;
        let outcome = client.relay_telemetry(ReceiverStream::new(receiver)).await;
        let batches = outcome
            .map_err(|status| RpcError::status(CALL, &status))?
            .into_inner();
        Ok(Self { batches, acks })
    }
}

/// Reads batches until told to stop; a broken stream is opened again, and the agent sends what was not acknowledged.
async fn collect(client: Client, mut stream: Subscription, store: Arc<SpanStore>) {
    let mut intake = Intake::new(store);
    loop {
        while let Ok(Some(batch)) = stream.batches.message().await {
            let acknowledged = intake.take(&batch);
            let _ = stream.acks.send(TelemetryAck { acknowledged }).await;
        }
        intake.interrupted();
        stream = reopen(&client).await;
    }
}

/// Begins at zero: an agent that was restarted counts from one again, and one that was not has forgotten what it
/// knows to be held.
async fn reopen(client: &Client) -> Subscription {
    loop {
        tokio::time::sleep(RECONNECT_PAUSE).await;
        if let Ok(stream) = Subscription::open(client.clone()).await {
            return stream;
        }
    }
}

/// Puts batches into the store and keeps account of what is missing.
struct Intake {
    store: Arc<SpanStore>,
    held: u64,
    /// The stream broke, and no batch has arrived since that shows what became of what the agent held.
    resuming: bool,
    /// Batches missing or unreadable here.
    missed: u64,
    /// Batches the agents dropped, of agents that have been restarted since.
    dropped_before: u64,
    /// Batches the present agent says it dropped.
    dropped: u64,
}

impl Intake {
    const fn new(store: Arc<SpanStore>) -> Self {
        Self {
            store,
            held: 0,
            resuming: false,
            missed: 0,
            dropped_before: 0,
            dropped: 0,
        }
    }

    fn interrupted(&mut self) {
        self.resuming = true;
        self.store.note_interrupted(true);
    }

    /// Stores a batch and gives back the highest sequence number held; gaps and unreadable bytes count as lost.
    fn take(&mut self, batch: &TelemetryBatch) -> u64 {
        let new = self.store.ingest(&batch.otlp);
        self.missed += u64::from(new.is_err() && batch.sequence > self.held);
        self.follow(batch, new.is_ok_and(|spans| spans > 0));
        self.store
            .note_lost(self.missed + self.dropped_before + self.dropped);
        self.store.note_interrupted(self.resuming);
        self.held
    }

    fn follow(&mut self, batch: &TelemetryBatch, has_news: bool) {
        let again = batch.sequence <= self.held;
        if again && !(self.resuming && has_news) {
            return;
        }
        if again {
            // News under an old number: the agent was restarted, and what it had spooled is gone.
            self.missed += 1;
            self.dropped_before += self.dropped;
        } else {
            self.missed += batch.sequence - self.held - 1;
        }
        self.held = batch.sequence;
        self.dropped = batch.dropped;
        self.resuming = false;
    }
}

#[cfg(test)]
mod tests;
