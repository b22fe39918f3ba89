//! `Probe`: tries to get out of a pod from inside it, then asks the target what it saw.
//!
//! A probe that could not be run is no evidence; it is reported as such and never as blocked.

mod attempt;
mod fingerprint;
mod pods;
mod witness;

use super::api::{ApiError, ApiServer};
use super::failure;
use super::home::Home;
use super::peers::Peers;
use futures::StreamExt as _;
use futures::stream;
use portproof_proto::names::Part;
use portproof_proto::v1::{EgressObservation, EgressProbe, Origin, ProbeRequest, ProbeResponse};
use std::time::Duration;
use tonic::{Code, Status};

/// Probes of one batch that run at the same time: many at once against a rejecting policy look like timeouts, because
/// kernels limit their ICMP answers.
const AT_ONCE: usize = 8;
const MAX_PROBES: usize = 256;
const MAX_NONCE: usize = 128;
const DEFAULT_TIMEOUT_MS: u32 = 4_000;
const MAX_TIMEOUT_MS: u32 = 30_000;

/// Why a whole batch could not be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    /// The pods could not be read.
    #[error("the pods of the stack could not be read")]
    Api(#[from] ApiError),
    /// More probes than one batch takes.
    #[error("a batch has {count} probes, more than {MAX_PROBES}")]
    TooMany { count: usize },
    /// A nonce that could be mistaken for something else on its way.
    #[error("the nonce of the probe `{id}` is not 1 to {MAX_NONCE} letters, digits or `-`")]
    Nonce { id: String },
    /// A probe without an origin, transport or target.
    #[error("the probe `{id}` has no `{member}`")]
    Missing { id: String, member: &'static str },
}

impl From<ProbeError> for Status {
    fn from(error: ProbeError) -> Self {
        let code = match &error {
            ProbeError::Api(_) => Code::Unavailable,
            _ => Code::InvalidArgument,
        };
        failure::status(code, &error)
    }
}

/// Runs batches of probes.
pub(crate) struct Prober<'a> {
    pub(crate) api: &'a ApiServer,
    pub(crate) peers: &'a Peers,
    pub(crate) home: &'a Home,
}

impl Prober<'_> {
    /// Runs every probe, asks the targets, and reads the kernels where asked.
    pub(crate) async fn run(&self, request: &ProbeRequest) -> Result<ProbeResponse, ProbeError> {
        check(&request.probes)?;
        let targets = self.targets().await?;
        let attempts: Vec<_> = request
            .probes
            .iter()
            .map(|probe| self.attempt(probe, &targets))
            .collect();
        let mut observations: Vec<_> = stream::iter(attempts).buffered(AT_ONCE).collect().await;
        self.ask_witness(&request.probes, &mut observations).await;
        let fingerprints = if request.fingerprint {
            self.fingerprints().await?
        } else {
            Vec::new()
        };
        Ok(ProbeResponse {
            observations,
            fingerprints,
        })
    }
}

/// The pod a probe runs in.
fn origin_part(origin: Origin) -> Part {
    if origin == Origin::Control {
        Part::ProbeControl
    } else {
        Part::Interpreter
    }
}

fn timeout(probe: &EgressProbe) -> Duration {
    let timeout_ms = if probe.timeout_ms == 0 {
        DEFAULT_TIMEOUT_MS
    } else {
        probe.timeout_ms.min(MAX_TIMEOUT_MS)
    };
    Duration::from_millis(u64::from(timeout_ms))
}

fn check(probes: &[EgressProbe]) -> Result<(), ProbeError> {
    if probes.len() > MAX_PROBES {
        return Err(ProbeError::TooMany {
            count: probes.len(),
        });
    }
    probes.iter().try_for_each(check_one)
}

fn check_one(probe: &EgressProbe) -> Result<(), ProbeError> {
    let missing = |member| {
        Err(ProbeError::Missing {
            id: probe.id.clone(),
            member,
        })
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !(1..=MAX_NONCE).contains(&probe.nonce.len()) || !probe.nonce.bytes().all(plain) {
        return Err(ProbeError::Nonce {
            id: probe.id.clone(),
        });
    }
    match (probe.origin, probe.transport, probe.target, probe.via) {
        (0, ..) => missing("origin"),
        (_, 0, ..) => missing("transport"),
        (_, _, 0, _) => missing("target"),
        (_, _, _, 0) => missing("via"),
        _ => Ok(()),
    }
}

/// An observation that so far only knows its probe.
fn observation(probe: &EgressProbe) -> EgressObservation {
    EgressObservation {
        id: probe.id.clone(),
        ..EgressObservation::default()
    }
}

#[cfg(test)]
mod tests;
