//! Runs the program in an environment of its own.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::canonicalize(root).unwrap()
}

/// What a run of the program came to.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Everything there is to see, for a snapshot.
    pub(crate) fn all(&self) -> String {
        let mut text = String::new();
        for (name, stream) in [("stdout", &self.out), ("stderr", &self.err)] {
            if !stream.is_empty() {
                writeln!(text, "--- {name}\n{}", stream.trim_end()).unwrap();
            }
        }
        let code = self.code.map_or("none".to_owned(), |code| code.to_string());
        writeln!(text, "--- exit {code}").unwrap();
        text
    }
}

/// The program in `directory`, with nothing of the caller's environment that changes what it says.
pub(crate) fn command(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portproof"));
    isolate(&mut command, directory);
    command
}

/// Takes out of a command's environment what changes what the program says.
pub(crate) fn isolate(command: &mut Command, directory: &Path) {
    for name in [
        "NO_COLOR",
        "CLICOLOR_FORCE",
        "FORCE_COLOR",
        "PORTPROOF_RUNS",
        "KUBECONFIG",
        "RUST_LOG",
    ] {
        command.env_remove(name);
    }
    command
        .current_dir(directory)
        .env("COLUMNS", "100")
        .env("TERM", "xterm-256color")
        .env("PORTPROOF_LAB_DIR", directory.join("no-lab"))
        .stdin(Stdio::null());
}

/// Waits for a command and keeps what it said.
pub(crate) fn finish(mut command: Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the program with these arguments in `directory`.
pub(crate) fn portproof<S: AsRef<OsStr>>(
    directory: &Path,
    arguments: impl IntoIterator<Item = S>,
) -> Ran {
    let mut command = command(directory);
    command.args(arguments);
    finish(command)
}
