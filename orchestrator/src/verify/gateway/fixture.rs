//! Records of a well-behaved gateway, for tests to break.

use crate::verify::evidence::{Sample, SplitChange, TrafficFailure, TrafficRecord};
use portproof_proto::names::Part;

/// Time between two requests, in nanoseconds: 800 requests a second.
pub(crate) const GAP_NS: u64 = 1_250_000;
const CONNECTIONS: u32 = 16;

/// `requests` answers with `percent` of a hundred from the canary, spread evenly over time and connections.
pub(crate) fn split(requests: u32, percent: u32) -> TrafficRecord {
    // 37 and 100 have no common divisor, so each hundred in a row holds exactly `percent` canary answers.
    record(requests, |index| (index * 37) % 100 < percent)
}

/// One answer per request; `canary` says which come from the canary.
pub(crate) fn record(requests: u32, canary: impl Fn(u32) -> bool) -> TrafficRecord {
    let samples: Vec<_> = (0..requests)
        .map(|index| sample(index, canary(index)))
        .collect();
    let mut record = TrafficRecord {
        samples,
        scheduled: requests,
        ..TrafficRecord::default()
    };
    count(&mut record);
    record
}

fn sample(index: u32, canary: bool) -> Sample {
    let due_ns = 1_000_000_000 + u64::from(index) * GAP_NS;
    let part = if canary {
        Part::ModelCanary
    } else {
        Part::ModelStable
    };
    Sample {
        due_ns,
        sent_ns: due_ns + 20_000,
        done_ns: due_ns + 2_000_000,
        status: Some(200),
        backend: Some(part.name().to_owned()),
        failure: None,
        // Requests of one connection are not those of one residue of the pattern above.
        connection: (index / 7) % CONNECTIONS,
    }
}

/// Spreads the requests over `connections`, each request over the next one.
pub(crate) fn over(mut record: TrafficRecord, connections: u32) -> TrafficRecord {
    for (sample, index) in record.samples.iter_mut().zip(0..) {
        sample.connection = index % connections;
    }
    record
}

/// Lets the backends count what the clients saw.
pub(crate) fn count(record: &mut TrafficRecord) {
    let versions = [Part::ModelStable, Part::ModelCanary];
    record.received = versions.map(|part| (part.name().to_owned(), 0)).into();
    for backend in record
        .samples
        .iter()
        .filter_map(|sample| sample.backend.clone())
    {
        *record.received.entry(backend).or_default() += 1;
    }
}

/// Makes the requests at `indices` fail.
pub(crate) fn fail(
    record: &mut TrafficRecord,
    indices: impl Iterator<Item = usize>,
    failure: TrafficFailure,
    status: Option<u16>,
) {
    for index in indices {
        let sample = &mut record.samples[index];
        sample.failure = Some(failure);
        sample.status = status;
        sample.backend = None;
    }
    count(record);
}

/// A rollback sent 1 s after the first request and acknowledged 10 ms later.
pub(crate) fn change() -> SplitChange {
    SplitChange {
        asked: (100, 0),
        sent_ns: 2_000_000_000,
        acknowledged_ns: 2_010_000_000,
    }
}

/// 4,000 requests (5 s) of which a tenth goes to the canary until `last_ns` after the acknowledgement, then
/// `residual` of a hundred.
pub(crate) fn rolled_back(last_ns: u64, residual: u32) -> TrafficRecord {
    let end = change().acknowledged_ns + last_ns;
    record(4_000, |index| {
        let sent = 1_000_020_000 + u64::from(index) * GAP_NS;
        let percent = if sent <= end { 10 } else { residual };
        (index * 37) % 100 < percent
    })
}
