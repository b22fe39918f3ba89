//! Who may call: only the orchestrator of this run.
//!
//! TLS has already refused certificates of other authorities. Here the certificate must name this run's orchestrator
//! and the call must carry this run's id, so that a mix-up of channels is refused as well as an attack.

use portproof_proto::{identity, names};
use tonic::service::Interceptor;
use tonic::{Code, Request, Status};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Why a caller was turned away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The connection has no client certificate.
    #[error("the caller shows no certificate")]
    NoCertificate,
    /// The certificate could not be read.
    #[error("the caller's certificate is unreadable")]
    Unreadable,
    /// The certificate is for someone else.
    #[error("the caller's certificate is not for the orchestrator of this run")]
    OtherIdentity,
    /// The call does not say which run it is for.
    #[error("the call carries no `{}`", names::RUN_METADATA)]
    NoRun,
    /// The call is for another run.
    #[error("the call is for another run")]
    OtherRun,
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::NoCertificate | Refusal::Unreadable => Code::Unauthenticated,
            Refusal::OtherIdentity | Refusal::NoRun | Refusal::OtherRun => Code::PermissionDenied,
        };
        Self::new(code, refusal.to_string())
    }
}

/// Checks every call before it reaches a handler.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    run_id: String,
    client_uri: String,
}

impl Admission {
    /// Admits the orchestrator of `run_id` and nobody else.
    pub(crate) fn new(run_id: &str) -> Self {
        Self {
            run_id: run_id.to_owned(),
            client_uri: identity::client_uri(run_id),
        }
    }

    fn check(&self, request: &Request<()>) -> Result<(), Refusal> {
        let certificates = request.peer_certs().ok_or(Refusal::NoCertificate)?;
        let leaf = certificates.first().ok_or(Refusal::NoCertificate)?;
        if uris(leaf)? != [self.client_uri.as_str()] {
            return Err(Refusal::OtherIdentity);
        }
        let run = request
            .metadata()
            .get(names::RUN_METADATA)
            .ok_or(Refusal::NoRun)?;
        if run.as_bytes() == self.run_id.as_bytes() {
            Ok(())
        } else {
            Err(Refusal::OtherRun)
        }
    }
}

impl Interceptor for Admission {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        match self.check(&request) {
            Ok(()) => Ok(request),
            Err(refusal) => {
                tracing::warn!(%refusal, "call refused");
                Err(refusal.into())
            }
        }
    }
}

/// The URIs among the subject alternative names (RFC 5280, section 4.2.1.6).
fn uris(certificate: &[u8]) -> Result<Vec<String>, Refusal> {
    let (_, certificate) =
        X509Certificate::from_der(certificate).map_err(|_| Refusal::Unreadable)?;
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| Refusal::Unreadable)?;
    let names = names
        .map(|extension| extension.value.general_names.as_slice())
        .unwrap_or_default();
    let uri = |name: &GeneralName<'_>| match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    };
    Ok(names.iter().filter_map(uri).collect())
}
