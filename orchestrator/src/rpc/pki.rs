//! The certificates of one run: an authority of its own, one server certificate a cluster, one client certificate.

use jiff::Timestamp;
use portproof_proto::identity;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use std::time::Duration;

/// How long a run's certificates are good; far longer than any run, far shorter than a stolen key is worth.
const VALIDITY: Duration = Duration::from_hours(24);
/// Clocks of a cluster may be behind by this much.
const CLOCK_SKEW: Duration = Duration::from_hours(1);

/// The certificates could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the certificates of the run cannot be made")]
pub struct PkiError(#[from] rcgen::Error);

/// A certificate with its key and the authority that signed it, all PEM.
#[derive(Clone)]
pub struct Credentials {
    /// The authority both sides trust.
    pub authority: String,
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// The certificate authority of one run; its key lives as long as this value and is written nowhere.
pub struct RunAuthority {
    run: String,
    made: Timestamp,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl RunAuthority {
    /// Makes the authority of run `run`.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new(run: &str) -> Result<Self, PkiError> {
        Self::made_at(run, Timestamp::now())
    }

    fn made_at(run: &str, made: Timestamp) -> Result<Self, PkiError> {
        let mut params = limited(Vec::new(), made)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        params
            .distinguished_name
            .push(DnType::CommonName, format!("portproof run {run}"));
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self {
            run: run.to_owned(),
            made,
            certificate,
            issuer: Issuer::new(params, key),
        })
    }

    /// The certificate of the control agent of the cluster in `role`.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn server(&self, role: &str) -> Result<Credentials, PkiError> {
        let name = identity::server_name(&self.run, role);
        self.sign(
            limited(vec![name], self.made)?,
            ExtendedKeyUsagePurpose::ServerAuth,
        )
    }

    /// The certificate of the orchestrator.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn client(&self) -> Result<Credentials, PkiError> {
        let mut params = limited(Vec::new(), self.made)?;
        params.subject_alt_names = vec![SanType::URI(identity::client_uri(&self.run).try_into()?)];
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Credentials, PkiError> {
        params.extended_key_usages = vec![usage];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Credentials {
            authority: self.certificate.clone(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

/// Parameters of a certificate that is good from a little before `made` until [`VALIDITY`] after it.
fn limited(names: Vec<String>, made: Timestamp) -> Result<CertificateParams, rcgen::Error> {
    let seconds = u64::try_from(made.as_second()).unwrap_or_default();
    let made = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    let mut params = CertificateParams::new(names)?;
    params.not_before = made - CLOCK_SKEW;
    params.not_after = made + VALIDITY;
    Ok(params)
}

#[cfg(test)]
mod tests;
