//! The shared libraries that programs need, found as the dynamic loader would find them.

use super::ImageError;
use goblin::elf::Elf;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The loader and the libraries of some programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Libraries {
    /// Where each file stands in the image, and where it is on this machine.
    pub files: BTreeMap<String, PathBuf>,
}

/// What one ELF file asks for.
struct Needs {
    interpreter: Option<String>,
    libraries: Vec<String>,
}

/// Finds everything that `programs` need, directly or not. `roots` are file trees, searched in this order.
///
/// # Errors
/// [`ImageError::Library`] when a library is in none of the roots, [`ImageError::Elf`] when a file is no ELF file.
pub fn libraries(programs: &[PathBuf], roots: &[PathBuf]) -> Result<Libraries, ImageError> {
    let mut found = Libraries::default();
    let mut open: Vec<PathBuf> = programs.to_vec();
    while let Some(file) = open.pop() {
        let needs = needs(&file)?;
        if let Some(interpreter) = needs.interpreter {
            let path = interpreter.trim_start_matches('/').to_owned();
            let source = in_roots(&path, roots).ok_or_else(|| missing(&interpreter, &file))?;
            found.files.insert(path, source);
        }
        for library in needs.libraries.iter().filter(|name| !is_loader(name)) {
            let (path, source) = search(library, roots).ok_or_else(|| missing(library, &file))?;
            if found.files.insert(path, source.clone()).is_none() {
                open.push(source);
            }
        }
    }
    Ok(found)
}

fn missing(library: &str, user: &Path) -> ImageError {
    ImageError::Library {
        library: library.to_owned(),
        user: user.to_path_buf(),
    }
}

/// The C library names the loader as a library; it is already in the process by then.
fn is_loader(library: &str) -> bool {
    library.starts_with("ld-linux")
}

fn needs(file: &Path) -> Result<Needs, ImageError> {
    let bytes = fs_err::read(file)?;
    let elf = Elf::parse(&bytes).map_err(|source| ImageError::Elf {
        path: file.to_path_buf(),
        source,
    })?;
    Ok(Needs {
        interpreter: elf.interpreter.map(str::to_owned),
        libraries: elf.libraries.iter().map(ToString::to_string).collect(),
    })
}

fn search(library: &str, roots: &[PathBuf]) -> Option<(String, PathBuf)> {
    let paths = || {
        directories()
            .into_iter()
            .map(|directory| format!("{directory}/{library}"))
    };
    roots.iter().find_map(|root| {
        paths().find_map(|path| {
            let file = root.join(&path);
            file.is_file().then_some((path, file))
        })
    })
}

fn in_roots(path: &str, roots: &[PathBuf]) -> Option<PathBuf> {
    roots
        .iter()
        .map(|root| root.join(path))
        .find(|file| file.is_file())
}

/// The directories that glibc's loader searches by itself, multiarch ones first.
fn directories() -> [String; 6] {
    let triple = format!("{}-linux-gnu", std::env::consts::ARCH);
    [
        format!("lib/{triple}"),
        format!("usr/lib/{triple}"),
        "lib64".to_owned(),
        "usr/lib64".to_owned(),
        "lib".to_owned(),
        "usr/lib".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_gets_its_loader_and_its_c_library() {
        let program = std::env::current_exe().unwrap();
        let found = libraries(&[program], &[PathBuf::from("/")]).unwrap();
        assert!(
            found.files.keys().any(|path| path.contains("ld-linux")),
            "{found:?}"
        );
        assert!(
            found.files.keys().any(|path| path.ends_with("libc.so.6")),
            "{found:?}"
        );
    }

    #[test]
    fn a_library_that_is_nowhere_is_named() {
        let nowhere = tempfile::tempdir().unwrap();
        let program = std::env::current_exe().unwrap();
        let failed = libraries(&[program], &[nowhere.path().to_path_buf()]).unwrap_err();
        assert!(matches!(failed, ImageError::Library { .. }), "{failed}");
    }

    #[test]
    fn a_text_is_not_taken_for_a_program() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("script");
        fs_err::write(&path, "#!/bin/sh\n").unwrap();
        assert!(matches!(
            libraries(&[path], &[]),
            Err(ImageError::Elf { .. })
        ));
    }

    #[test]
    fn the_first_tree_wins() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for root in [&one, &other] {
            fs_err::create_dir_all(root.path().join("usr/lib")).unwrap();
            fs_err::write(root.path().join("usr/lib/libx.so.1"), "").unwrap();
        }
        let roots = [one.path().to_path_buf(), other.path().to_path_buf()];
        let (path, file) = search("libx.so.1", &roots).unwrap();
        assert_eq!(path, "usr/lib/libx.so.1");
        assert!(file.starts_with(one.path()));
    }
}
