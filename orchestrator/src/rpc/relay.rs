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
        let stream = Subscription::open(client.clone(), 0).await?;
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
    async fn open(mut client: Client, acknowledged: u64) -> Result<Self, RpcError> {
        let (acks, receiver) = mpsc::channel(ACKS);
        let _ = acks.send(TelemetryAck { acknowledged }).await;
        let outcome = client.relay_telemetry(ReceiverStream::new(receiver)).await;
        let batches = outcome
            .map_err(|status| RpcError::status(CALL, &status))?
            .into_inner();
        Ok(Self { batches, acks })
    }
}

/// Reads batches until told to stop; a broken stream is opened again from the last batch held, so nothing is lost.
async fn collect(client: Client, mut stream: Subscription, store: Arc<SpanStore>) {
    let mut held = 0;
    loop {
        if let Ok(Some(batch)) = stream.batches.message().await {
            held = take_in(&store, &batch, held);
            let _ = stream.acks.send(TelemetryAck { acknowledged: held }).await;
            continue;
        }
        stream = loop {
            tokio::time::sleep(RECONNECT_PAUSE).await;
            if let Ok(stream) = Subscription::open(client.clone(), held).await {
                break stream;
            }
        };
    }
}

/// Stores a batch and gives back the highest sequence number held; gaps and bad bytes count as lost.
fn take_in(store: &SpanStore, batch: &TelemetryBatch, held: u64) -> u64 {
    if batch.sequence <= held {
        return held;
    }
    let gap = batch.sequence - held - 1;
    let unreadable = u64::from(store.ingest(&batch.otlp).is_err());
    store.note_lost(batch.dropped.max(gap) + unreadable);
    batch.sequence
}
