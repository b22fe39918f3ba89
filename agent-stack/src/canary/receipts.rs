//! What arrived, by nonce; bounded, because anyone who reaches the listener can send.

use serde::Serialize;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

/// Receipts that are kept; the oldest goes first.
const MAX_RECEIPTS: usize = 10_000;
/// Longest nonce, in bytes.
pub(super) const MAX_NONCE: usize = 256;

/// How something arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Transport {
    Tcp,
    Udp,
}

/// Something arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Receipt {
    pub(super) transport: Transport,
    /// Address of the sender as it looks from here.
    pub(super) from: String,
}

/// Everything that arrived.
#[derive(Debug, Default)]
pub(super) struct Receipts(Mutex<VecDeque<(String, Receipt)>>);

impl Receipts {
    /// Remembers a nonce; what is empty or no text is passed over.
    pub(super) fn record(&self, nonce: &[u8], transport: Transport, from: SocketAddr) {
        let Some(nonce) = std::str::from_utf8(nonce)
            .ok()
            .map(str::trim)
            .filter(|nonce| !nonce.is_empty())
        else {
            return;
        };
        let receipt = Receipt {
            transport,
            from: canonical(from).to_string(),
        };
        tracing::info!(nonce, ?transport, %from, "received");
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == MAX_RECEIPTS {
            kept.pop_front();
        }
        kept.push_back((nonce.to_owned(), receipt));
    }

    /// Everything that came with this nonce, in the order it came.
    pub(super) fn of(&self, nonce: &str) -> Vec<Receipt> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter()
            .filter(|(known, _)| known == nonce)
            .map(|(_, receipt)| receipt.clone())
            .collect()
    }
}

/// An IPv4 sender on a socket of both families, written as IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender() -> SocketAddr {
        "[::ffff:10.0.0.7]:4711".parse().unwrap()
    }

    #[test]
    fn a_receipt_names_the_sender_in_its_own_family() {
        let receipts = Receipts::default();
        receipts.record(b"n-1\n", Transport::Udp, sender());
        assert_eq!(
            receipts.of("n-1"),
            [Receipt {
                transport: Transport::Udp,
                from: "10.0.0.7:4711".into()
            }]
        );
        assert!(receipts.of("n-2").is_empty());
    }

    #[test]
    fn the_oldest_receipt_goes_when_there_are_too_many() {
        let receipts = Receipts::default();
        for number in 0..=MAX_RECEIPTS {
            receipts.record(number.to_string().as_bytes(), Transport::Tcp, sender());
        }
        assert!(receipts.of("0").is_empty());
        assert_eq!(receipts.of("1").len(), 1);
    }

    #[test]
    fn what_is_no_text_is_passed_over() {
        let receipts = Receipts::default();
        receipts.record(&[0xff, 0xfe], Transport::Tcp, sender());
        receipts.record(b" \n", Transport::Tcp, sender());
        assert!(receipts.of("").is_empty());
    }
}
