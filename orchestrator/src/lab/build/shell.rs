//! Running one step of a build, with its output in a log.

use super::BuildError;
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of a failed step that are shown.
const TAIL: usize = 20;

/// The log of one component's build.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) component: String,
    pub(super) path: PathBuf,
}

impl Log {
    /// Begins an empty log.
    pub(super) fn begin(component: &str, path: PathBuf) -> Result<Self, BuildError> {
        fs_err::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        fs_err::write(&path, "")?;
        Ok(Self {
            component: component.to_owned(),
            path,
        })
    }

    /// Runs a step to its end; all its output goes into the log.
    pub(super) fn run(&self, command: &mut Command) -> Result<(), BuildError> {
        let mut file = fs_err::OpenOptions::new().append(true).open(&self.path)?;
        writeln!(file, "$ {command:?}")?;
        let (stdout, stderr) = (file.try_clone()?, file);
        let status = command
            .stdout(stdout.into_parts().0)
            .stderr(stderr.into_parts().0)
            .status();
        self.judge(command, status)
    }

    /// Runs a step whose standard output is wanted; the rest of its output goes into the log.
    pub(super) fn read(&self, command: &mut Command) -> Result<Vec<u8>, BuildError> {
        let mut file = fs_err::OpenOptions::new().append(true).open(&self.path)?;
        writeln!(file, "$ {command:?}")?;
        let output = command.stderr(file.try_clone()?.into_parts().0).output();
        let stdout = output
            .as_ref()
            .map(|output| output.stdout.clone())
            .unwrap_or_default();
        let status = output.map(|output| output.status);
        if !matches!(&status, Ok(status) if status.success()) {
            file.write_all(&stdout)?;
        }
        self.judge(command, status)?;
        Ok(stdout)
    }

    fn judge(
        &self,
        command: &Command,
        status: std::io::Result<std::process::ExitStatus>,
    ) -> Result<(), BuildError> {
        let program = || command.get_program().to_string_lossy().into_owned();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(self.failed()?),
            Err(source) => Err(BuildError::Start {
                program: program(),
                source,
            }),
        }
    }

    fn failed(&self) -> Result<BuildError, BuildError> {
        Ok(BuildError::Failed {
            component: self.component.clone(),
            tail: tail(&self.path)?,
            log: self.path.clone(),
        })
    }
}

fn tail(path: &Path) -> Result<String, BuildError> {
    let mut last = VecDeque::with_capacity(TAIL);
    for line in BufReader::new(fs_err::File::open(path)?).split(b'\n') {
        if last.len() == TAIL {
            last.pop_front();
        }
        last.push_back(String::from_utf8_lossy(&line?).into_owned());
    }
    Ok(Vec::from(last).join("\n"))
}

/// Sets permission bits.
pub(super) fn set_mode(path: &Path, mode: u32) -> Result<(), BuildError> {
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(directory: &tempfile::TempDir) -> Log {
        Log::begin("sample", directory.path().join("logs/build.log")).unwrap()
    }

    #[test]
    fn a_failed_step_shows_the_end_of_its_output_and_where_all_of_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let log = log(&directory);
        let failed = log
            .run(Command::new("sh").args(["-c", "seq 100; echo broken >&2; exit 1"]))
            .unwrap_err();
        let BuildError::Failed {
            tail,
            log: path,
            component,
        } = failed
        else {
            panic!("{failed}")
        };
        assert_eq!(component, "sample");
        assert!(tail.ends_with("100\nbroken"), "{tail}");
        assert_eq!(tail.lines().count(), TAIL);
        assert!(fs_err::read_to_string(path).unwrap().contains("\n1\n2\n"));
    }

    #[test]
    fn a_step_that_is_read_keeps_its_complaints_out_of_the_answer() {
        let directory = tempfile::tempdir().unwrap();
        let log = log(&directory);
        let answer = log
            .read(Command::new("sh").args(["-c", "echo answer; echo complaint >&2"]))
            .unwrap();
        assert_eq!(answer, b"answer\n");
        assert!(
            fs_err::read_to_string(&log.path)
                .unwrap()
                .contains("complaint")
        );
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let failed = log(&directory)
            .run(&mut Command::new("portproof-no-such-program"))
            .unwrap_err();
        assert!(
            matches!(failed, BuildError::Start { program, .. } if program == "portproof-no-such-program")
        );
    }
}
