//! The key of a model server, in a file, as Kubernetes mounts a Secret. The key itself stands in no argument, in no log and
//! in no error.

use axum::http::HeaderValue;
use portproof_proto::api_key::{self, NotAKey};
use std::io;
use std::path::{Path, PathBuf};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read.
    #[error("the key in `{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// What is in the file is no key.
    #[error("`{}` holds no key: {rule}", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What it must be like.
        rule: NotAKey,
    },
}

/// Where the key is. It is read for every request, so that a key that was replaced counts at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile(PathBuf);

impl KeyFile {
    /// The key in the file at `path`.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        let text = fs_err::read_to_string(path);
        let file = Self(path.to_owned());
        file.header(text)?;
        Ok(file)
    }

    /// The value of `Authorization` (RFC 6750, section 2.1).
    ///
    /// # Errors
    /// When there is no key any more.
    pub async fn bearer(&self) -> Result<HeaderValue, KeyError> {
        self.header(fs_err::tokio::read_to_string(&self.0).await)
    }

    fn header(&self, text: io::Result<String>) -> Result<HeaderValue, KeyError> {
        let path = || self.0.clone();
        let text = text.map_err(|source| KeyError::Read {
            path: path(),
            source,
        })?;
        let no_key = |rule| KeyError::NoKey { path: path(), rule };
        let key = api_key::parse(&text).map_err(no_key)?;
        let mut value = HeaderValue::try_from(format!("Bearer {key}"))
            .map_err(|_| no_key(NotAKey::Characters))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), text).unwrap();
        file
    }

    #[tokio::test]
    async fn a_key_is_read_without_the_line_end_behind_it_and_anew_each_time() {
        let written = file("sk-one\n");
        let key = KeyFile::open(written.path()).unwrap();
        assert_eq!(key.bearer().await.unwrap(), "Bearer sk-one");
        fs_err::write(written.path(), "sk-two").unwrap();
        assert_eq!(key.bearer().await.unwrap(), "Bearer sk-two");
        drop(written);
        assert!(matches!(key.bearer().await, Err(KeyError::Read { .. })));
    }

    #[tokio::test]
    async fn a_key_shows_in_no_error_and_in_no_debug_output() {
        let written = file("sk-secret");
        let value = KeyFile::open(written.path()).unwrap().bearer().await;
        assert!(!format!("{value:?}").contains("secret"));
        for wrong in ["", " \n", "sk secret", "sk-secret\u{e9}", "sk\0secret"] {
            let error = KeyFile::open(file(wrong).path()).unwrap_err();
            let told = format!("{error} {error:?}");
            assert!(
                told.contains("holds no key") && !told.contains("secret"),
                "{told}"
            );
        }
    }
}
