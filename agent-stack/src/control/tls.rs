//! The certificates of the run: one authority for both sides (see `portproof_proto::identity`), and TLS 1.3 (RFC 8446)
//! as the only version either side speaks.
//!
//! tonic's own TLS settings cannot leave TLS 1.2 out, so connections are secured here and handed to it.

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, crypto::ring, version::TLS13};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// The one protocol that is spoken inside (RFC 7301, RFC 9113).
const ALPN_H2: &[u8] = b"h2";

/// Why the certificates cannot be served with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file could not be read.
    #[error("`{}` could not be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file holds no certificate or key in PEM.
    #[error("the {what} is not PEM")]
    Pem {
        /// Authority, certificate chain or key.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: pem::Error,
    },
    /// Authority, certificate and key do not fit together.
    #[error("the certificates of the run cannot be served with")]
    Unusable(#[from] rustls::Error),
    /// No client certificate can be checked against the authority.
    #[error("the authority of the run cannot vouch for anybody")]
    Authority(#[from] VerifierBuilderError),
}

/// The authority, certificate and key the agent serves with.
pub(crate) struct Certificates {
    /// Certificate of the run's authority, PEM.
    pub(crate) authority: Vec<u8>,
    /// Certificate chain of the agent, PEM.
    pub(crate) chain: Vec<u8>,
    /// Key of the agent, PEM.
    pub(crate) key: Vec<u8>,
}

impl Certificates {
    /// Reads `ca.pem`, `server.pem` and `server.key` of `folder`.
    pub(crate) fn read(folder: &Path) -> Result<Self, TlsError> {
        Ok(Self {
            authority: read(&folder.join("ca.pem"))?,
            chain: read(&folder.join("server.pem"))?,
            key: read(&folder.join("server.key"))?,
        })
    }

    /// TLS 1.3 that refuses every client without a certificate of the run's authority.
    ///
    /// # Errors
    /// When certificate, key and authority do not fit together.
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        for authority in certificates("authority", &self.authority)? {
            roots.add(authority)?;
        }
        let clients =
            WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider))
                .build()?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|source| TlsError::Pem {
            what: "key",
            source,
        })?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(clients)
            .with_single_cert(certificates("certificate chain", &self.chain)?, key)?;
        config.alpn_protocols = vec![ALPN_H2.to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|source| TlsError::Pem { what, source })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs_err::read(path).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}
