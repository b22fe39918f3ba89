//! A change of a component's source, made in a copy of the module.

use super::{BuildError, shell};
use std::path::Path;

/// One line of one file that is replaced before the build.
#[derive(Debug, PartialEq, Eq)]
pub struct Patch {
    /// The module whose source is changed.
    pub module: &'static str,
    /// The file inside it.
    pub file: &'static str,
    /// What must be there, exactly once.
    pub from: &'static str,
    /// What stands there afterwards.
    pub to: &'static str,
    /// Why a machine needs it, for people.
    pub reason: &'static str,
}

impl Patch {
    /// Changes the file below `module`.
    ///
    /// # Errors
    /// [`BuildError::Patch`] when the text to replace is not there exactly once: the source is not the one that the
    /// patch was made for.
    pub(super) fn apply(&self, module: &Path) -> Result<(), BuildError> {
        let path = module.join(self.file);
        let text = fs_err::read_to_string(&path)?;
        let found = text.matches(self.from).count();
        if found != 1 {
            return Err(BuildError::Patch {
                module: self.module,
                file: self.file,
                found,
            });
        }
        fs_err::write(&path, text.replacen(self.from, self.to, 1))?;
        Ok(())
    }
}

/// Copies a module out of the read-only module cache, into a tree that may be changed.
pub(super) fn copy_module(from: &Path, to: &Path) -> Result<(), BuildError> {
    fs_err::create_dir_all(to)?;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_module(&entry.path(), &target)?;
        } else {
            fs_err::copy(entry.path(), &target)?;
            shell::set_mode(&target, 0o644)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: Patch = Patch {
        module: "m",
        file: "a.go",
        from: "= -999\n",
        to: "= 0\n",
        reason: "",
    };

    fn source(text: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("a.go"), text).unwrap();
        directory
    }

    #[test]
    fn the_line_is_replaced() {
        let module = source("const score = -999\n");
        PATCH.apply(module.path()).unwrap();
        assert_eq!(
            fs_err::read_to_string(module.path().join("a.go")).unwrap(),
            "const score = 0\n"
        );
    }

    #[test]
    fn a_source_without_the_line_is_refused() {
        let module = source("const score = -998\n");
        assert!(matches!(
            PATCH.apply(module.path()),
            Err(BuildError::Patch { found: 0, .. })
        ));
    }

    #[test]
    fn a_source_with_the_line_twice_is_refused() {
        let module = source("a = -999\nb = -999\n");
        assert!(matches!(
            PATCH.apply(module.path()),
            Err(BuildError::Patch { found: 2, .. })
        ));
    }

    #[test]
    fn a_copied_module_may_be_changed() {
        let module = source("a = -999\n");
        shell::set_mode(&module.path().join("a.go"), 0o444).unwrap();
        let copy = tempfile::tempdir().unwrap();
        copy_module(module.path(), copy.path()).unwrap();
        PATCH.apply(copy.path()).unwrap();
    }
}
