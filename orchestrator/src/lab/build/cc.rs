//! Small C programs whose source comes with a Go module.

use super::catalog::CProgram;
use super::workplace::Workplace;
use super::{BuildError, go};
use std::process::Command;

/// Compiles the program statically: an image of it then needs nothing else.
pub(super) fn build(program: &CProgram, work: &Workplace) -> Result<(), BuildError> {
    let source = go::download(program.of, work)?.join(program.source);
    fs_err::create_dir_all(work.bin())?;
    let mut command = Command::new("gcc");
    command
        .args(["-static", "-Os", "-s", "-Wall", "-o"])
        .arg(work.bin().join(program.program))
        .arg(source);
    work.log.run(&mut command)
}
