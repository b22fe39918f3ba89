//! The certificates of one run: an authority of its own, one server certificate a cluster, one client certificate.

use portproof_proto::identity;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

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
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl RunAuthority {
    /// Makes the authority of run `run`.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new(run: &str) -> Result<Self, PkiError> {
        let mut params = CertificateParams::new(Vec::new())?;
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
            CertificateParams::new(vec![name])?,
            ExtendedKeyUsagePurpose::ServerAuth,
        )
    }

    /// The certificate of the orchestrator.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn client(&self) -> Result<Credentials, PkiError> {
        let mut params = CertificateParams::new(Vec::new())?;
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
