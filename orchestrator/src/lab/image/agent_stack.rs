//! The one image of the reference stack: the `agent-stack` program, the C library it was linked against, and CPython
//! for the code interpreter.

use super::elf::{self, Libraries};
use super::python::Python;
use super::{Image, ImageError, ImageRef, Layer, Tag, components};
use std::path::{Path, PathBuf};

/// Name of the image without its tag.
pub const REPOSITORY: &str = "docker.io/portproof/agent-stack";
/// Where the program stands in the image.
pub const PROGRAM: &str = "/usr/bin/agent-stack";

const ENVIRONMENT: [&str; 3] = ["PATH=/usr/bin", "LANG=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1"];

/// Writes the image of the program at `binary` to `out`; `cache` is portproof's cache directory.
///
/// The tag is taken from the content, so a changed program is another image and never a stale one. The program is a
/// layer of its own: after a rebuild everything below it is already on the nodes.
///
/// # Errors
/// [`ImageError::NoAgentStack`] when there is no such program; otherwise what the packages, libraries or files lack.
pub fn agent_stack(binary: &Path, out: &Path, cache: &Path) -> Result<ImageRef, ImageError> {
    if !binary.is_file() {
        return Err(ImageError::NoAgentStack {
            path: binary.to_path_buf(),
        });
    }
    let python = Python::prepare(cache)?;
    let libraries = needed(binary, &python)?;
    let layers = [
        runtime(&python, &libraries)?,
        Layer::new().file(PROGRAM, binary, 0o755),
    ];
    Image {
        repository: REPOSITORY,
        tag: Tag::OfContent,
        layers: &layers,
        entrypoint: &[PROGRAM],
        env: &ENVIRONMENT,
    }
    .write(out)
}

/// Where the `agent-stack` program is expected: beside the running program.
///
/// # Errors
/// [`ImageError::NoAgentStack`] when it is not there, [`ImageError::Io`] when the running program's path is unknown.
pub fn beside_this_program() -> Result<PathBuf, ImageError> {
    let path = std::env::current_exe()?.with_file_name("agent-stack");
    if path.is_file() {
        return Ok(path);
    }
    Err(ImageError::NoAgentStack { path })
}

/// Python's own libraries come from its packages, the C library from this machine, where the program was linked.
fn needed(binary: &Path, python: &Python) -> Result<Libraries, ImageError> {
    let mut programs = python.programs();
    programs.push(binary.to_path_buf());
    elf::libraries(&programs, &[python.root.clone(), PathBuf::from("/")])
}

fn runtime(python: &Python, libraries: &Libraries) -> Result<Layer, ImageError> {
    let layer = components::with_libraries(components::base(), libraries).bytes(
        "etc/nsswitch.conf",
        "passwd: files\ngroup: files\nhosts: files dns\n",
        0o644,
    );
    python.add_to(layer)
}
