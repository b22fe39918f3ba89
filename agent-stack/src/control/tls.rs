//! The certificates of the run: one authority for both sides (see `portproof_proto::identity`).

use std::io;
use std::path::{Path, PathBuf};
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

/// Why the certificates could not be read.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` could not be read")]
pub(crate) struct TlsError {
    path: PathBuf,
    #[source]
    source: io::Error,
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

    /// TLS that refuses every client without a certificate of the run's authority.
    pub(crate) fn server_config(&self) -> ServerTlsConfig {
        ServerTlsConfig::new()
            .identity(Identity::from_pem(&self.chain, &self.key))
            .client_ca_root(Certificate::from_pem(&self.authority))
            .client_auth_optional(false)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError {
        path: path.to_owned(),
        source,
    })
}
