//! Reads what lets the stack in at a model server outside of it, before anything is made: a run does not begin whose model
//! could not be asked.

use crate::cluster::UpstreamAccess;
use crate::scenario::{KeySource, Upstream};
use portproof_proto::api_key::{self, NotAKey};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::SecretString;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Why the model server could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The variable with the key is not there.
    #[error(
        "the environment variable `{name}` is to hold the key of the model server and is not set"
    )]
    Variable {
        /// Its name.
        name: String,
    },
    /// What the variable holds is no key.
    #[error("the environment variable `{name}` holds no key of a model server")]
    NoKeyInVariable {
        /// Its name.
        name: String,
        /// What a key is like.
        #[source]
        source: NotAKey,
    },
    /// The file with the key cannot be read.
    #[error("the key of the model server cannot be read from `{}`", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// What the file holds is no key.
    #[error("`{}` holds no key of a model server", path.display())]
    NoKeyInFile {
        /// The file.
        path: PathBuf,
        /// What a key is like.
        #[source]
        source: NotAKey,
    },
    /// The file of the authorities cannot be read.
    #[error("the authorities of the model server cannot be read from `{}`", path.display())]
    AuthoritiesFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file of the authorities holds no certificate.
    #[error("`{}` holds no PEM certificate of an authority", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
}

impl UpstreamError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Variable { .. } | Self::NoKeyInVariable { .. } => {
                "set it, or name another one, or a file, under `spec.stack.model.key` of the scenario"
            }
            Self::KeyFile { .. } | Self::NoKeyInFile { .. } => {
                "write the key alone into the file that `spec.stack.model.key` of the scenario names"
            }
            Self::AuthoritiesFile { .. } | Self::NoCertificate { .. } => {
                "name a PEM file with at least one certificate as `spec.stack.model.authorities` of the scenario, or leave it out for the public authorities"
            }
        }
    }
}

/// Reads key and authorities.
///
/// # Errors
/// When a variable or file is missing or holds something else.
pub fn read(upstream: Option<&Upstream>) -> Result<UpstreamAccess, UpstreamError> {
    let key = upstream.and_then(|upstream| upstream.key.as_ref());
    let authorities = upstream.and_then(|upstream| upstream.authorities.as_deref());
    Ok(UpstreamAccess {
        key: key.map(read_key).transpose()?,
        authorities: authorities.map(read_authorities).transpose()?,
    })
}

fn read_key(source: &KeySource) -> Result<SecretString, UpstreamError> {
    match source {
        KeySource::Environment(name) => key_in_variable(name, std::env::var_os(name)),
        KeySource::File(path) => key_in_file(path),
    }
}

fn key_in_variable(name: &str, value: Option<OsString>) -> Result<SecretString, UpstreamError> {
    let name = || name.to_owned();
    let value = value.ok_or_else(|| UpstreamError::Variable { name: name() })?;
    let text = value.to_str().ok_or(NotAKey::Characters);
    let key = text.and_then(api_key::parse);
    key.map(Into::into)
        .map_err(|source| UpstreamError::NoKeyInVariable {
            name: name(),
            source,
        })
}

fn key_in_file(path: &Path) -> Result<SecretString, UpstreamError> {
    let path = || path.to_owned();
    let text = std::fs::read_to_string(path()).map_err(|source| UpstreamError::KeyFile {
        path: path(),
        source,
    })?;
    let key = api_key::parse(&text).map_err(|source| UpstreamError::NoKeyInFile {
        path: path(),
        source,
    })?;
    Ok(key.into())
}

fn read_authorities(path: &Path) -> Result<String, UpstreamError> {
    let path = || path.to_owned();
    let text =
        std::fs::read_to_string(path()).map_err(|source| UpstreamError::AuthoritiesFile {
            path: path(),
            source,
        })?;
    let certificates = CertificateDer::pem_slice_iter(text.as_bytes());
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().unwrap_or_default();
    if certificates.is_empty() {
        return Err(UpstreamError::NoCertificate { path: path() });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;
    use std::error::Error as _;
    use std::os::unix::ffi::OsStringExt as _;
    use tempfile::NamedTempFile;

    fn file(text: impl AsRef<[u8]>) -> NamedTempFile {
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn with(key: Option<KeySource>, authorities: Option<&Path>) -> Upstream {
        Upstream {
            url: "https://models.example/v1".into(),
            model: None,
            key,
            authorities: authorities.map(Path::to_owned),
        }
    }

    fn certificate() -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["models.example".to_owned()]).unwrap();
        parameters.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn key_and_authorities_are_read_from_where_the_scenario_says() {
        let (key, pem) = (file("sk-one\n"), file(certificate()));
        let key = KeySource::File(key.path().to_owned());
        let access = read(Some(&with(Some(key), Some(pem.path())))).unwrap();
        assert_eq!(access.key.unwrap().expose_secret(), "sk-one");
        assert!(access.authorities.unwrap().contains("BEGIN CERTIFICATE"));
        let nothing = read(Some(&with(None, None))).unwrap();
        assert!(nothing.key.is_none() && nothing.authorities.is_none());
        assert!(read(None).unwrap().key.is_none());
    }

    #[test]
    fn a_key_in_a_variable_is_taken_without_the_line_end_behind_it() {
        let key = key_in_variable("KEY", Some("sk-two\n".into())).unwrap();
        assert_eq!(key.expose_secret(), "sk-two");
    }

    #[test]
    fn what_is_missing_is_named_with_what_to_do_and_no_secret_shows() {
        let nowhere = Path::new("/nowhere/key");
        let wrong = file("sk secret");
        let errors = [
            key_in_variable("KEY", None).unwrap_err(),
            key_in_variable("KEY", Some("sk secret".into())).unwrap_err(),
            key_in_variable("KEY", Some(OsString::from_vec(b"sk-secret\xff".into()))).unwrap_err(),
            key_in_file(nowhere).unwrap_err(),
            key_in_file(wrong.path()).unwrap_err(),
            read_authorities(nowhere).unwrap_err(),
            read_authorities(wrong.path()).unwrap_err(),
        ];
        let told: Vec<_> = errors
            .iter()
            .map(|error| {
                let text = error
                    .to_string()
                    .replace(wrong.path().to_str().unwrap(), "FILE");
                let because = error.source().map(|source| format!(": {source}"));
                format!("{text}{}\n  {}", because.unwrap_or_default(), error.hint())
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
