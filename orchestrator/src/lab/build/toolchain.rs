//! The host's Go toolchain.

use super::BuildError;
use std::process::Command;

/// The oldest Go that builds every component (Envoy Gateway asks for the most).
const REQUIRED: Version = Version(1, 26, 6);

/// A Go version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32, u32);

/// A Go that can build the components.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Toolchain {
    /// Version, as Go writes it: `go1.26.8`.
    pub(super) version: String,
    /// Architecture that it builds for, in Go's words.
    pub(super) architecture: String,
}

impl Toolchain {
    /// Asks the `go` on the path.
    ///
    /// # Errors
    /// [`BuildError::NoGo`] or [`BuildError::OldGo`].
    pub(super) fn find() -> Result<Self, BuildError> {
        let output = Command::new("go")
            .args(["env", "GOVERSION", "GOARCH"])
            .env("GOTOOLCHAIN", "local")
            .output();
        let output = output
            .ok()
            .filter(|output| output.status.success())
            .ok_or_else(no_go)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut lines = text.lines().map(str::to_owned);
        let (version, architecture) = lines.next().zip(lines.next()).ok_or_else(no_go)?;
        check(&version)?;
        Ok(Self {
            version,
            architecture,
        })
    }
}

fn no_go() -> BuildError {
    BuildError::NoGo {
        required: REQUIRED.to_string(),
    }
}

fn check(version: &str) -> Result<(), BuildError> {
    if parse(version).is_some_and(|found| found >= REQUIRED) {
        return Ok(());
    }
    let found = version.trim_start_matches("go").to_owned();
    Err(BuildError::OldGo {
        found,
        required: REQUIRED.to_string(),
    })
}

/// Reads `go1.26.8`, `go1.27` and `go1.27rc1`; a release candidate counts as its release.
fn parse(version: &str) -> Option<Version> {
    let number = |text: &str| -> Option<u32> {
        let end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        text[..end].parse().ok()
    };
    let mut parts = version.strip_prefix("go")?.split('.');
    let (major, minor) = (number(parts.next()?)?, number(parts.next()?)?);
    Some(Version(
        major,
        minor,
        parts.next().and_then(number).unwrap_or(0),
    ))
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for good in [
            "go1.26.6",
            "go1.26.8",
            "go1.26.10",
            "go1.27",
            "go1.27rc1",
            "go2.0.0",
            "go1.26.8 X:boringcrypto",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["go1.26.5", "go1.9.9", "go1.26", "devel +abc", ""] {
            assert!(matches!(check(bad), Err(BuildError::OldGo { .. })), "{bad}");
        }
    }
}
