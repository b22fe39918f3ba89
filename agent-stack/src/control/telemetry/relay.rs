//! `RelayTelemetry`: sends what the spool holds and forgets it when the caller has it.

use super::Spool;
use super::spool::Entry;
use crate::control::stream::Events;
use futures::{Stream, StreamExt as _};
use portproof_proto::v1::{TelemetryAck, TelemetryBatch};
use std::sync::Arc;
use tonic::Status;

/// Relays until the caller ends its side; the first message says where to begin.
pub(crate) async fn relay(
    spool: Arc<Spool>,
    cluster_uid: String,
    mut acknowledgements: impl Stream<Item = Result<TelemetryAck, Status>> + Unpin,
    events: Events<TelemetryBatch>,
) -> Result<(), Status> {
    let Some(first) = acknowledgements.next().await.transpose()? else {
        return Ok(());
    };
    spool.acknowledge(first.acknowledged);
    let mut sent = first.acknowledged;
    loop {
        while let Some((entry, dropped)) = spool.after(sent) {
            sent = entry.sequence;
            events.send(batch(&entry, dropped, &cluster_uid)).await;
        }
        tokio::select! {
            next = acknowledgements.next() => match next.transpose()? {
                Some(next) => spool.acknowledge(next.acknowledged),
                None => return Ok(()),
            },
            () = spool.grown(sent) => {}
        }
    }
}

fn batch(entry: &Entry, dropped: u64, cluster_uid: &str) -> TelemetryBatch {
    TelemetryBatch {
        sequence: entry.sequence,
        cluster_uid: cluster_uid.to_owned(),
        received_monotonic_ns: entry.received_ns,
        otlp: entry.otlp.to_vec(),
        dropped,
    }
}

#[cfg(test)]
mod tests;
