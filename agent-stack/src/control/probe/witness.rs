//! What the canary listener recorded: the receiver decides, not the sender's errno.

use super::Prober;
use portproof_proto::names::Part;
use portproof_proto::v1::{EgressObservation, EgressProbe, ProbeOutcome, Target};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;

/// How long after the last probe a nonce may still arrive.
const SETTLE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(100);
const DEADLINE: Duration = Duration::from_secs(3);

/// One thing the canary listener received.
#[derive(Debug, Deserialize)]
struct Receipt {
    from: String,
}

impl Prober<'_> {
    /// Asks the canary listener for every nonce that was aimed at it.
    pub(super) async fn ask_witness(
        &self,
        probes: &[EgressProbe],
        observations: &mut [EgressObservation],
    ) {
        let until = Instant::now() + SETTLE;
        let aimed_at_it = probes
            .iter()
            .zip(observations)
            .filter(|(probe, _)| probe.target() == Target::Canary);
        let asked =
            aimed_at_it.map(|(probe, observed)| self.ask_one(&probe.nonce, observed, until));
        futures::future::join_all(asked).await;
    }

    async fn ask_one(&self, nonce: &str, observed: &mut EgressObservation, until: Instant) {
        if observed.outcome() == ProbeOutcome::NotRun {
            return;
        }
        loop {
            let receipts = self.receipts(nonce).await;
            observed.witness_answered = receipts.is_some();
            if let Some(receipt) = receipts.unwrap_or_default().first() {
                observed.received = true;
                receipt.from.clone_into(&mut observed.seen_from);
                return;
            }
            if Instant::now() >= until {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// `None` when the listener could not be asked.
    async fn receipts(&self, nonce: &str) -> Option<Vec<Receipt>> {
        self.peers
            .get(Part::Canary, &format!("/receipts/{nonce}"), DEADLINE)
            .await
            .ok()
    }
}
