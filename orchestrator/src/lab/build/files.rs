//! Manifests that come with a Go module.

use super::catalog::ModuleFiles;
use super::workplace::Workplace;
use super::{BuildError, go};

/// Copies the `.yaml` files of one directory of the module.
pub(super) fn copy(files: &ModuleFiles, work: &Workplace) -> Result<(), BuildError> {
    let from = go::download(files.of, work)?.join(files.directory);
    let to = work.manifests();
    fs_err::create_dir_all(&to)?;
    let mut copied = 0;
    for entry in fs_err::read_dir(&from)? {
        let entry = entry?;
        if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            // Reading and writing instead of copying: the module cache's files are read-only.
            fs_err::write(to.join(entry.file_name()), fs_err::read(entry.path())?)?;
            copied += 1;
        }
    }
    if copied == 0 {
        return Err(BuildError::NoResult {
            component: files.of.to_owned(),
            what: format!("{}/*.yaml", files.directory),
        });
    }
    Ok(())
}
