//! Load plans and their samples.

use crate::rpc::request::LoadPlan;
use crate::verify::evidence::{Sample, TrafficFailure, TrafficRecord};
use portproof_proto::names::VERSION_HEADER;
use portproof_proto::v1;

pub(in crate::rpc) fn traffic_request(plan: &LoadPlan) -> v1::DriveTrafficRequest {
    v1::DriveTrafficRequest {
        requests: plan.requests,
        rate_per_s: plan.rate,
        connections: plan.connections,
        timeout_ms: u32::try_from(plan.timeout.as_millis()).unwrap_or(u32::MAX),
        path: plan.path.clone(),
        headers: plan
            .version
            .map(|version| (VERSION_HEADER.to_owned(), version.to_owned()))
            .into_iter()
            .collect(),
    }
}

/// What a message of the load driver was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rpc) enum Traffic {
    Started,
    Samples,
    Finished,
}

/// Adds a message to the record.
pub(in crate::rpc) fn traffic_event(
    event: v1::TrafficEvent,
    record: &mut TrafficRecord,
) -> Traffic {
    use v1::traffic_event::Event;
    match event.event {
        Some(Event::Started(_)) => Traffic::Started,
        Some(Event::Samples(batch)) => {
            record.samples.extend(batch.samples.into_iter().map(sample));
            Traffic::Samples
        }
        Some(Event::Finished(finished)) => {
            record.scheduled = finished.scheduled;
            record.started_late = finished.started_late;
            record.received = finished.received.into_iter().collect();
            Traffic::Finished
        }
        None => Traffic::Samples,
    }
}

fn sample(sample: v1::TrafficSample) -> Sample {
    let status = u16::try_from(sample.status)
        .ok()
        .filter(|&status| status != 0);
    Sample {
        due_ns: sample.due_ns,
        sent_ns: sample.sent_ns,
        done_ns: sample.done_ns,
        status,
        failure: failure(sample.failure(), status),
        backend: (!sample.backend.is_empty()).then_some(sample.backend),
        connection: sample.connection,
    }
}

/// An answer is judged by its status as well, so that a driver that forgets to classify one cannot hide it.
fn failure(named: v1::TrafficFailure, status: Option<u16>) -> Option<TrafficFailure> {
    match named {
        v1::TrafficFailure::Connect => Some(TrafficFailure::Connect),
        v1::TrafficFailure::Reset => Some(TrafficFailure::Reset),
        v1::TrafficFailure::Timeout => Some(TrafficFailure::Timeout),
        v1::TrafficFailure::Protocol => Some(TrafficFailure::Protocol),
        v1::TrafficFailure::Status => Some(TrafficFailure::Status),
        v1::TrafficFailure::Dropped => Some(TrafficFailure::Dropped),
        v1::TrafficFailure::Unspecified => match status {
            Some(200..=299) => None,
            Some(_) => Some(TrafficFailure::Status),
            None => Some(TrafficFailure::Protocol),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure_of(status: u32, failure: v1::TrafficFailure) -> Option<TrafficFailure> {
        let message = v1::TrafficSample {
            status,
            failure: failure as i32,
            ..v1::TrafficSample::default()
        };
        sample(message).failure
    }

    #[test]
    fn only_an_answer_in_the_2xx_range_is_no_failure() {
        assert_eq!(failure_of(200, v1::TrafficFailure::Unspecified), None);
        assert_eq!(
            failure_of(503, v1::TrafficFailure::Unspecified),
            Some(TrafficFailure::Status)
        );
        assert_eq!(
            failure_of(0, v1::TrafficFailure::Unspecified),
            Some(TrafficFailure::Protocol)
        );
        assert_eq!(
            failure_of(0, v1::TrafficFailure::Reset),
            Some(TrafficFailure::Reset)
        );
    }
}
