//! Whose word counts for who a server outside the stack is (RFC 5280): the public authorities, or those in a file, as Kubernetes
//! mounts a ConfigMap.

use reqwest::{Certificate, ClientBuilder};
use std::io;
use std::path::{Path, PathBuf};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// Why there are no authorities.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// The file could not be read.
    #[error("the certificates in `{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// What is in the file is not PEM.
    #[error("`{}` is not a file of PEM certificates", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: reqwest::Error,
    },
    /// There is no certificate in the file.
    #[error("`{}` holds no certificate", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// The authorities that are trusted.
#[derive(Clone, Debug, Default)]
pub enum Authorities {
    /// The system's; where it has none, as in the stack's image, those that Mozilla trusts.
    #[default]
    Public,
    /// These and no others.
    Only(Vec<Certificate>),
}

impl Authorities {
    /// Those in the PEM file at `path`, or the public ones where none is named.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub fn of_file(path: Option<&Path>) -> Result<Self, AuthoritiesError> {
        path.map_or(Ok(Self::Public), Self::read)
    }

    fn read(path: &Path) -> Result<Self, AuthoritiesError> {
        let path = path.to_owned();
        let pem = match fs_err::read(&path) {
            Ok(pem) => pem,
            Err(source) => return Err(AuthoritiesError::Read { path, source }),
        };
        match Certificate::from_pem_bundle(&pem) {
            Err(source) => Err(AuthoritiesError::Pem { path, source }),
            Ok(none) if none.is_empty() => Err(AuthoritiesError::Empty { path }),
            Ok(certificates) => Ok(Self::Only(certificates)),
        }
    }

    /// Finishes a client that trusts these.
    pub(crate) fn build(
        &self,
        builder: impl Fn() -> ClientBuilder,
    ) -> reqwest::Result<reqwest::Client> {
        match self {
            // A client cannot be set up on a system without any authority.
            Self::Public => builder()
                .build()
                .or_else(|_| builder().tls_certs_only(mozilla()).build()),
            Self::Only(certificates) => builder().tls_certs_only(certificates.clone()).build(),
        }
    }
}

fn mozilla() -> impl Iterator<Item = Certificate> {
    let certificates = TLS_SERVER_ROOT_CERTS.iter();
    certificates.filter_map(|certificate| Certificate::from_der(certificate).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_client::builder;
    use std::error::Error as _;
    use std::time::Duration;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn a_file_without_a_certificate_is_named_in_the_error() {
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let broken = "-----BEGIN CERTIFICATE-----\n&\n-----END CERTIFICATE-----\n";
        for (text, told) in [
            ("", "holds no certificate"),
            (key.as_str(), "holds no certificate"),
            (broken, "not a file of PEM certificates"),
        ] {
            let file = file(text);
            let error = Authorities::of_file(Some(file.path())).unwrap_err();
            let named = error.to_string().contains(file.path().to_str().unwrap());
            assert!(named && error.to_string().contains(told), "{error}");
        }
        let error = Authorities::of_file(Some(Path::new("/nowhere/ca.pem"))).unwrap_err();
        assert!(error.source().is_some() && matches!(error, AuthoritiesError::Read { .. }));
    }

    #[test]
    fn without_a_file_the_public_authorities_count() {
        let public = Authorities::of_file(None).unwrap();
        assert!(matches!(public, Authorities::Public));
        assert!(public.build(|| builder(Duration::from_secs(1))).is_ok());
    }

    #[test]
    fn mozillas_authorities_stand_in_where_the_system_has_none() {
        assert!(mozilla().count() > 100);
        let client = builder(Duration::from_secs(1)).tls_certs_only(mozilla());
        assert!(client.build().is_ok());
    }
}
