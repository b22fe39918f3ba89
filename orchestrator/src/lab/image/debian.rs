//! Debian packages, fetched through `apt-get` and kept by name, version and digest.

use super::ImageError;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A package archive on this machine, checked against the package lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// File name: package, version and architecture.
    pub file: String,
    /// SHA-256, in hex.
    pub sha256: String,
    /// The archive.
    pub path: PathBuf,
}

/// What the package lists say of one package.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    file: String,
    sha256: String,
}

/// Gets packages by name, in the version that the machine's package lists name; `cache` keeps the archives.
///
/// # Errors
/// [`ImageError::UnknownPackages`] when the lists do not have them all, [`ImageError::Corrupt`] when an archive is not
/// the listed one, [`ImageError::Tool`] when `apt-get` fails.
pub fn fetch(names: &[&str], cache: &Path) -> Result<Vec<Package>, ImageError> {
    fs_err::create_dir_all(cache)?;
    let listed = list(names)?;
    let kept = listed.iter().all(|package| is_kept(package, cache));
    if !kept {
        download(names, cache)?;
    }
    listed
        .into_iter()
        .map(|package| check(package, cache))
        .collect()
}

/// Unpacks an archive into `directory`.
///
/// # Errors
/// [`ImageError::Tool`] when `dpkg-deb` fails.
pub fn unpack(package: &Package, directory: &Path) -> Result<(), ImageError> {
    let mut command = Command::new("dpkg-deb");
    command.arg("--extract").arg(&package.path).arg(directory);
    run("dpkg-deb", &mut command).map(drop)
}

fn list(names: &[&str]) -> Result<Vec<Listed>, ImageError> {
    let mut command = Command::new("apt-get");
    command
        .args(["--quiet=2", "--print-uris", "download"])
        .args(names);
    let output = start("apt-get", &mut command)?;
    let mut listed: Vec<Listed> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(parse)
        .collect();
    listed.sort_by(|one, other| one.file.cmp(&other.file));
    let missing: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !has(&listed, name))
        .collect();
    if missing.is_empty() {
        return Ok(listed);
    }
    Err(ImageError::UnknownPackages {
        missing: missing.join(", "),
    })
}

fn has(listed: &[Listed], name: &str) -> bool {
    let prefix = format!("{name}_");
    listed
        .iter()
        .any(|package| package.file.starts_with(&prefix))
}

/// One line is `'URI' FILE SIZE SHA256:HEX`.
fn parse(line: &str) -> Option<Listed> {
    let mut fields = line.split_whitespace().skip(1);
    let file = fields.next()?.to_owned();
    let sha256 = fields.nth(1)?.strip_prefix("SHA256:")?.to_owned();
    Some(Listed { file, sha256 })
}

fn is_kept(package: &Listed, cache: &Path) -> bool {
    digest(&cache.join(&package.file)).is_ok_and(|actual| actual == package.sha256)
}

fn download(names: &[&str], cache: &Path) -> Result<(), ImageError> {
    let directory = tempfile::tempdir_in(cache)?;
    let mut command = Command::new("apt-get");
    // The unprivileged user that apt downloads as may not write into a private cache.
    command
        .args(["--quiet=2", "-o", "APT::Sandbox::User=root", "download"])
        .args(names);
    run("apt-get", command.current_dir(directory.path()))?;
    for entry in fs_err::read_dir(directory.path())? {
        let entry = entry?;
        fs_err::rename(entry.path(), cache.join(entry.file_name()))?;
    }
    Ok(())
}

fn check(package: Listed, cache: &Path) -> Result<Package, ImageError> {
    let path = cache.join(&package.file);
    let actual = digest(&path)?;
    if actual == package.sha256 {
        return Ok(Package {
            file: package.file,
            sha256: actual,
            path,
        });
    }
    fs_err::remove_file(&path)?;
    Err(ImageError::Corrupt {
        path,
        actual,
        expected: package.sha256,
    })
}

fn digest(path: &Path) -> Result<String, ImageError> {
    Ok(hex::encode(Sha256::digest(fs_err::read(path)?)))
}

fn run(program: &'static str, command: &mut Command) -> Result<Output, ImageError> {
    let output = start(program, command)?;
    if output.status.success() {
        return Ok(output);
    }
    let message = String::from_utf8_lossy(&output.stderr)
        .trim()
        .replace('\n', "; ");
    Err(ImageError::Tool {
        command: format!("{command:?}"),
        message,
    })
}

fn start(program: &'static str, command: &mut Command) -> Result<Output, ImageError> {
    command
        .env("LC_ALL", "C")
        .output()
        .map_err(|source| ImageError::Start { program, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "'http://deb.debian.org/debian/pool/main/z/zlib/zlib1g_1.2.13.dfsg-1_amd64.deb' \
         zlib1g_1%3a1.2.13.dfsg-1_amd64.deb 86684 \
         SHA256:d7dd1d1411fedf27f5e27650a6eff20ef294077b568f4c8c5e51466dc7c08ce4";

    #[test]
    fn a_line_of_the_package_lists_is_understood() {
        let listed = parse(LINE).unwrap();
        assert_eq!(listed.file, "zlib1g_1%3a1.2.13.dfsg-1_amd64.deb");
        assert!(listed.sha256.starts_with("d7dd1d14"));
    }

    #[test]
    fn a_weaker_digest_is_not_accepted() {
        assert_eq!(parse(&LINE.replace("SHA256", "MD5Sum")), None);
    }

    #[test]
    fn a_package_is_not_mistaken_for_a_longer_name() {
        let listed = [parse(LINE).unwrap()];
        assert!(has(&listed, "zlib1g"));
        assert!(!has(&listed, "zlib1"));
    }

    #[test]
    fn an_archive_with_another_digest_is_removed() {
        let cache = tempfile::tempdir().unwrap();
        fs_err::write(cache.path().join("x_1_amd64.deb"), "other").unwrap();
        let listed = Listed {
            file: "x_1_amd64.deb".to_owned(),
            sha256: "00".repeat(32),
        };
        assert!(!is_kept(&listed, cache.path()));
        assert!(matches!(
            check(listed, cache.path()),
            Err(ImageError::Corrupt { .. })
        ));
        assert!(!cache.path().join("x_1_amd64.deb").exists());
    }
}
